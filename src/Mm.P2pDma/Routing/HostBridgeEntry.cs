using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>One entry of the list of host bridges that are known to carry peer-to-peer traffic.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct pci_p2pdma_whitelist_entry (drivers/pci/p2pdma.c, v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Vendor">The vendor of the first device on the root bus.</param>
/// <param name="Device">Its device; <see langword="null"/> for any device of the vendor (PCI_ANY_ID, newer kernels).</param>
/// <param name="RequiresSameHostBridge">Whether it counts only between two functions below one host bridge.</param>
/// <param name="Hardware">What hardware it means.</param>
public sealed record HostBridgeEntry(ushort Vendor, ushort? Device, bool RequiresSameHostBridge, string Hardware)
{
    /// <summary>Whether the entry speaks of this identity.</summary>
    /// <param name="id">The identity of the first device on a root bus.</param>
    /// <returns>Whether it does.</returns>
    public bool Matches(PciId id) => id.Vendor == Vendor && (Device is null || Device == id.Device);

    /// <summary>The entry as <c>8086:3c00 (Intel Xeon E5, same host bridge only)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Vendor:x4}:{Device?.ToString("x4") ?? "any"} ({Hardware}{(RequiresSameHostBridge ? ", same host bridge only" : "")})";
}
