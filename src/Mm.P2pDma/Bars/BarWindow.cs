using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Bars;

/// <summary>A memory BAR and what became of it in a machine's address map.</summary>
/// <remarks>
/// <b>Linux:</b> a struct resource of a pci_dev after pci_claim_resource (v6.12).
/// <para><c>default</c> is BAR 0 of which nothing is known, with no window. Immutable.</para>
/// </remarks>
/// <param name="Bar">The BAR.</param>
/// <param name="Region">Its window; null where there is none.</param>
/// <param name="Refusal">
/// Why there is no window. ENXIO: address or size is not known, or decoding is off. EBUSY: something else lies there.
/// EINVAL: it lies above what a machine can address.
/// </param>
public readonly record struct BarWindow(PciBar Bar, AddressRegion? Region, Errno Refusal)
{
    /// <summary>What is added to a physical address to get the bus address, modulo 2^64; zero where the host does not translate.</summary>
    /// <remarks><b>Linux:</b> pci_bus_address - pci_resource_start (v6.12).</remarks>
    public ByteCount BusOffset => Bar is { BusAddress: { } bus, Address: { } start }
        ? new ByteCount(unchecked(bus.Value - start.Value)) // wraps where the bus lies below the CPU's addresses
        : ByteCount.Zero;
}
