using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Infers what part of the tree a function of an hwloc file is: hwloc does not say.</summary>
internal static class HwlocPorts
{
    // Intel's bridges from the chip set to conventional PCI (desktop and mobile): the only ones found on root buses beside root ports.
    private static readonly PciId[] ConventionalBridges = [new(0x8086, 0x244e), new(0x8086, 0x2448)];

    /// <summary>Infers the port type.</summary>
    /// <param name="facts">What is known of the function.</param>
    /// <param name="around">Where it hangs.</param>
    /// <param name="isBridge">Whether hwloc calls it a bridge.</param>
    /// <param name="log">Where oddities go.</param>
    /// <param name="position">Where it stands.</param>
    /// <returns>The type; unknown where the nesting does not imply one, or contradicts the bus numbers.</returns>
    internal static PciPortType Infer(
        PciFunction facts, HwlocContext around, bool isBridge, ImportLog log, ImportPosition position)
    {
        if (around.Function is not { } above)
        {
            return OnRootBus(facts, around, isBridge);
        }

        if (above.Facts.BusesBelow is { } buses && buses.Secondary != facts.Address.Bus)
        {
            log.Note(
                position,
                $"{facts.Address} is not on bus {buses.Secondary:x2} right below {above.Facts.Address}: a bridge between is "
                + "missing or the file contradicts itself; its port type stays unknown");
            return PciPortType.Unknown;
        }

        return (above.Facts.PortType, isBridge) switch
        {
            (PciPortType.RootPort or PciPortType.SwitchDownstream, true) => PciPortType.SwitchUpstream,
            (PciPortType.RootPort or PciPortType.SwitchDownstream, false) => PciPortType.Endpoint,
            (PciPortType.SwitchUpstream, true) => PciPortType.SwitchDownstream,
            (PciPortType.SwitchUpstream, false) => PciPortType.Endpoint,
            (PciPortType.ConventionalBridge, true) => PciPortType.ConventionalBridge,
            (PciPortType.ConventionalBridge, false) => PciPortType.ConventionalPci,
            _ => PciPortType.Unknown,
        };
    }

    private static PciPortType OnRootBus(PciFunction facts, HwlocContext around, bool isBridge)
    {
        bool isRoot = around.HostBridge is { } bridge && bridge.Bus == facts.Address.BusId;
        if (!isRoot || !isBridge)
        {
            return PciPortType.Unknown;
        }

        return facts.Id is { } id && ConventionalBridges.Contains(id)
            ? PciPortType.ConventionalBridge
            : PciPortType.RootPort;
    }
}
