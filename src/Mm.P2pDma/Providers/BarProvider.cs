using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Providers;

/// <summary>The provider of one whole memory BAR, without page descriptors.</summary>
/// <remarks>
/// Owns no memory and allocates none: the driver that owns the BAR does. Everything that is exported out of the BAR,
/// however many regions, goes by this one provider; so do page maps and pools on top of it.
/// <para><b>Linux:</b> struct p2pdma_provider, one for each BAR, from pcim_p2pdma_init to unbind (v6.19). Deliberate
/// difference: a client's map kind is dropped at each edit of the topology, where Linux keeps it for good; with
/// <see cref="VerdictKeeping.LikeLinux"/> it is kept as there.</para>
/// <para><b>States:</b> live → dead, once, when the driver unbinds or the device goes.</para>
/// <para><b>Invariants:</b> (1) name, owner and aperture never change; (2) dead, no client reaches it.</para>
/// <para><b>Locking:</b> no lock; safe from any thread.</para>
/// </remarks>
public sealed class BarProvider : IP2pProvider
{
    private readonly ValiditySource validity = new();
    private readonly PciDevices devices;
    private readonly P2pRouter router;
    private readonly KernelVerdictCache? kept;
    private readonly ByteCount busOffset;
    private volatile bool isDead;

    internal BarProvider(
        PciDevices devices, P2pRouter router, KernelVerdictCache? kept, PciDevice device, BarWindow window)
    {
        this.devices = devices;
        this.router = router;
        this.kept = kept;
        Device = device;
        Bar = window.Bar.Index;
        Aperture = window.Region!.Range;
        Name = window.Region.Name;
        busOffset = window.BusOffset;
        router.Topology.ValiditySource.AddDependent(validity);
    }

    /// <summary>The device whose BAR it is.</summary>
    public PciDevice Device { get; }

    /// <summary>The BAR's index.</summary>
    public int Bar { get; }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public DeviceId Owner => Device.Id;

    /// <inheritdoc/>
    public PhysRange Aperture { get; }

    /// <inheritdoc/>
    public ValidityToken Validity => validity.Token;

    /// <summary>Whether the driver is still bound.</summary>
    public bool IsLive => !isDead;

    /// <inheritdoc/>
    public P2pMapKind MapKindFor(DeviceId client)
    {
        // A client that is no PCI device of this system reaches nothing, as in Linux.
        if (isDead || !devices.TryFind(client, out PciDevice? device))
        {
            return P2pMapKind.NotSupported;
        }

        TopologySnapshot now = router.Topology.Snapshot;
        if (!now.TryFind(device.Place, out _) || !now.TryFind(Device.Place, out _))
        {
            return P2pMapKind.NotSupported; // edited away, but not taken over yet
        }

        return kept?.MapKindFor(device.Place) ?? router.Decide(Device.Place, device.Place).Kind;
    }

    /// <inheritdoc/>
    public DmaAddr ToBusAddress(PhysAddr address) =>
        Aperture.Contains(address)
            ? new DmaAddr(unchecked(address.Value + busOffset.Value)) // modulo 2^64, as the host bridge adds
            : throw new ArgumentOutOfRangeException(nameof(address), address, $"address must be in {Aperture}");

    /// <summary>The name and the aperture.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name} {Aperture}{(isDead ? " dead" : "")}";

    /// <summary>Ends every token: the same addresses lead elsewhere now, as when a window moved.</summary>
    internal void Invalidate() => validity.Invalidate();

    /// <summary>Ends the provider and every token.</summary>
    internal void Die()
    {
        isDead = true;
        router.Topology.ValiditySource.RemoveDependent(validity);
        validity.Invalidate();
    }
}
