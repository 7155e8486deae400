using Mm.Core.PhysRanges;

namespace Mm.Core.Spaces;

/// <summary>Who wants to reach a part of somebody's mapping, and how it hears that it no longer may.</summary>
/// <remarks>
/// <b>Linux:</b> the importer of p2p_map with its mmu_notifier, as proposed in 2019.
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Device">The device.</param>
/// <param name="Ranges">Makes the list; it knows who owns which address. Nobody else uses it during the call.</param>
public sealed record PeerImport(DeviceId Device, PhysRangeListBuilder Ranges)
{
    /// <summary>Whether it writes.</summary>
    public bool IsWrite { get; init; }

    /// <summary>Runs once, when the addresses end: before it returns, the device has stopped. Called as
    /// <see cref="Notifiers.IIntervalListener.Invalidate"/> is; it does not dispose the mapping.</summary>
    public Action? Ended { get; init; }
}
