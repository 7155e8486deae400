using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>Draws topologies that use every member of every part, from a seed.</summary>
internal sealed class RandomTopology(int seed)
{
    private static readonly string[] Names = ["", "a", "GPU \"0\" <&>", "\u00e9\u20ac\U0001F600", "tab\tnew\nline", "\u0001\u007f\u2028\\/"];
    private readonly Random random = new(seed);

    internal Topology Draw()
    {
        var builder = new TopologyBuilder { Omissions = Bool() ? TopologyOmissions.Ports : TopologyOmissions.None };
        int hosts = random.Next(1, 4);
        for (int index = 0; index < hosts; index++)
        {
            var host = new HostId((ushort)(index == 0 ? 0 : 1000 * index));
            builder.AddHost(new TopologyHost(host)
            {
                Name = Maybe(Name()),
                Cpu = Bool() ? default : new CpuIdentity(Value<CpuVendor>(), MaybeInt(), MaybeInt()),
            });
            DrawHost(builder, host);
        }

        return builder.Build();
    }

    private void DrawHost(TopologyBuilder builder, HostId host)
    {
        foreach (int node in Distinct(3, NodeId.MaxIndex + 1))
        {
            builder.AddNode(new NumaNode(new NodeId(node))
            {
                Host = host,
                Package = MaybeInt(),
                Memory = Size(),
                HasCpus = random.Next(3) switch { 0 => null, 1 => true, _ => false },
                Device = Bool() ? null : Address(),
            });
        }

        var bridges = new List<PciBusId>();
        foreach (int bus in Distinct(3, 256))
        {
            var bridge = new HostBridge
            {
                Host = host,
                Bus = new PciBusId(Domain(), bus),
                LastBus = Bool() ? null : (byte)random.Next(256),
                Node = Node(),
                Package = MaybeInt(),
                IsRootBusComplete = Bool(),
            };
            builder.AddHostBridge(bridge);
            bridges.Add(bridge.Bus);
        }

        DrawFunctions(builder, host, bridges);
    }

    private void DrawFunctions(TopologyBuilder builder, HostId host, List<PciBusId> bridges)
    {
        var parents = new List<PciFunction>();
        var taken = new HashSet<PciAddress>();
        for (int count = random.Next(12); count > 0; count--)
        {
            PciFunction? parent = parents.Count == 0 || Bool() ? null : parents[random.Next(parents.Count)];
            PciFunction function = Function(host) with
            {
                Parent = parent?.Address,
                HostBridge = parent is not null || bridges.Count == 0 || Bool() ? null : bridges[random.Next(bridges.Count)],
            };
            if (!taken.Add(function.Address))
            {
                continue;
            }

            builder.AddFunction(function);
            builder.AddInterconnect(new InterconnectLink(Value<InterconnectKind>(), function.Place)
            {
                To = Bool() ? null : new PciPlace(host, Address()),
                ToName = Maybe(Name()),
                Count = MaybeInt(),
                Bandwidth = Bandwidth(),
            });
            if (function.CanHaveChildren)
            {
                parents.Add(function);
            }
        }
    }

    private PciFunction Function(HostId host) => new()
    {
        Host = host,
        Address = Address(),
        Id = Bool() ? null : new PciId((ushort)random.Next(0x10000), (ushort)random.Next(0x10000)),
        SubsystemId = Bool() ? null : new PciId((ushort)random.Next(0x10000), (ushort)random.Next(0x10000)),
        Class = Bool() ? null : Bool() ? PciClass.PciBridge : new PciClass((uint)random.Next(0x1000000)),
        PortType = Value<PciPortType>(),
        Acs = random.Next(3) switch { 0 => AcsControl.Unknown, 1 => AcsControl.Absent, _ => AcsControl.Of((AcsBits)random.Next(0x10000)) },
        Link = new PciLink(Link(), Link()) { Reported = Bandwidth() },
        Node = Node(),
        Bars = [.. Distinct(3, 7).Select(Bar)],
        OsDevices = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new OsDevice(Name(), Value<OsDeviceKind>()))],
        IommuGroup = MaybeInt(),
        BusesBelow = Bool() ? null : new PciBusRange((byte)random.Next(256), (byte)random.Next(256)),
        Label = Maybe(Name()),
    };

    private PciBar Bar(int index)
    {
        ByteCount? size = Size();
        PhysAddr? address = Bool() ? null : new PhysAddr((ulong)random.NextInt64() << random.Next(2));
        bool fits = address is not { } start || size is not { } length || PhysRange.TryCreate(start, length, out _);
        return new PciBar(index, address, fits ? size : null, (PciBarFlags)random.Next(32))
        {
            BusAddress = Bool() ? null : new DmaAddr(ulong.MaxValue - (ulong)random.Next(3)),
        };
    }

    private PciLinkState Link() => new(new PciLinkSpeed((ushort)(Bool() ? 0 : random.Next(0x10000))), (byte)(Bool() ? 0 : random.Next(256)));

    private LinkBandwidth? Bandwidth() => Bool() ? null : new LinkBandwidth(Bool() ? ulong.MaxValue : (ulong)random.NextInt64());

    private ByteCount? Size() => random.Next(4) switch
    {
        0 => null,
        1 => new ByteCount((ulong)random.NextInt64()),
        2 => ByteCount.MaxValue,
        _ => new ByteCount((ulong)random.Next(5) << (10 * random.Next(6))),
    };

    private PciAddress Address() => new(Domain(), random.Next(256), random.Next(32), random.Next(8));

    private uint Domain() => random.Next(3) switch { 0 => 0, 1 => 0x10000, _ => (uint)random.NextInt64(0, 1L << 32) };

    private NodeId Node() => Bool() ? NodeId.None : new NodeId(random.Next(NodeId.MaxIndex + 1));

    private int? MaybeInt() => random.Next(4) switch { 0 => null, 1 => int.MinValue, 2 => int.MaxValue, _ => random.Next(100) };

    private string Name() => Names[random.Next(Names.Length)];

    private string? Maybe(string text) => Bool() ? null : text;

    private bool Bool() => random.Next(2) == 0;

    private IEnumerable<int> Distinct(int most, int bound) =>
        Enumerable.Range(0, random.Next(most + 1)).Select(_ => random.Next(bound)).Distinct();

    private T Value<T>()
        where T : struct, Enum
    {
        T[] values = Enum.GetValues<T>();
        return values[random.Next(values.Length)];
    }
}
