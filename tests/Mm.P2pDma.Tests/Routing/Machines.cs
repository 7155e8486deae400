using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Routing;

/// <summary>Small machines for examples, built by hand; addresses are those of the comments.</summary>
internal static class Machines
{
    public static readonly CpuIdentity Intel = new(CpuVendor.Intel, 6, 0x8f);

    public static PciAddress At(string text) => PciAddress.Parse(text);

    public static PciFunction Root(string address, string bridge, string id, PciPortType type) => new()
    {
        Address = At(address),
        HostBridge = PciBusId.Parse(bridge),
        Id = Id(id),
        PortType = type,
        Acs = AcsControl.Absent,
    };

    public static PciFunction Below(string address, string parent, PciPortType type) => new()
    {
        Address = At(address),
        Parent = At(parent),
        Id = Id("1af4:1110"),
        PortType = type,
        Acs = AcsControl.Absent,
    };

    public static PciId Id(string text) =>
        PciId.TryParse(text, out PciId id) ? id : throw new FormatException(text);

    /// <summary>One root port with a two-port switch: 03:00.0 and 03:00.1 below port 02:00.0, 04:00.0 below port 02:01.0; 05:00.0 elsewhere.</summary>
    public static TopologyBuilder Switch(CpuIdentity cpu, string firstId = "1b36:000c")
    {
        var builder = new TopologyBuilder();
        builder.AddHost(cpu).AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0), Node = new Core.NodeId(0) });
        builder.AddFunction(Root("00:00.0", "00", firstId, PciPortType.RootPort));
        builder.AddFunction(Root("00:01.0", "00", "1b36:000c", PciPortType.RootPort));
        builder.AddFunction(Below("01:00.0", "00:00.0", PciPortType.SwitchUpstream));
        builder.AddFunction(Below("02:00.0", "01:00.0", PciPortType.SwitchDownstream));
        builder.AddFunction(Below("02:01.0", "01:00.0", PciPortType.SwitchDownstream));
        builder.AddFunction(Below("03:00.0", "02:00.0", PciPortType.Endpoint));
        builder.AddFunction(Below("03:00.1", "02:00.0", PciPortType.Endpoint));
        builder.AddFunction(Below("04:00.0", "02:01.0", PciPortType.Endpoint));
        builder.AddFunction(Below("05:00.0", "00:01.0", PciPortType.Endpoint));
        return builder;
    }

    /// <summary>Two host bridges, each with a root port of this identity at 00.0 and an endpoint on the bus after its root bus.</summary>
    public static TopologyBuilder TwoSockets(CpuIdentity cpu, string oneId, string otherId)
    {
        var builder = new TopologyBuilder();
        builder.AddHost(cpu);
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0x16), Node = new Core.NodeId(0) });
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0x80), Node = new Core.NodeId(1) });
        builder.AddFunction(Root("16:00.0", "16", oneId, PciPortType.RootPort));
        builder.AddFunction(Root("16:01.0", "16", oneId, PciPortType.RootPort));
        builder.AddFunction(Root("80:00.0", "80", otherId, PciPortType.RootPort));
        builder.AddFunction(Below("17:00.0", "16:00.0", PciPortType.Endpoint));
        builder.AddFunction(Below("18:00.0", "16:01.0", PciPortType.Endpoint));
        builder.AddFunction(Below("81:00.0", "80:00.0", PciPortType.Endpoint));
        return builder;
    }
}
