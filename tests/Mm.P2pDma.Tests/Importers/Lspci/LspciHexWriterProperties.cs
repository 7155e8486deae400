using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Lspci;

public sealed class LspciHexWriterProperties
{
    private static readonly PciPortType[] Leaves =
    [
        PciPortType.Unknown, PciPortType.Endpoint, PciPortType.LegacyEndpoint, PciPortType.RootComplexEndpoint, PciPortType.ConventionalPci,
    ];

    private static readonly PciPortType[] Bridges =
    [
        PciPortType.Unknown, PciPortType.RootPort, PciPortType.SwitchUpstream, PciPortType.SwitchDownstream, PciPortType.PcieToPciBridge,
        PciPortType.PciToPcieBridge, PciPortType.ConventionalBridge,
    ];

    private static readonly ushort[] Speeds = [0, 25, 50, 80, 160, 320, 640];

    // A machine that says nothing but what bytes can say comes back as it was.
    [FsCheck.NUnit.Property(MaxTest = 200)]
    public void Write_ThenRead_IsTheSameMachine(int seed)
    {
        var random = new Random(seed);
        var builder = new TopologyBuilder();
        var functions = new List<PciFunction>();
        int bus = 0;
        while (bus < 200 && functions.Count < 60)
        {
            int root = bus++;
            Fill(random, functions, new PciBusId(0x10, root), null, ref bus, depth: 0);
            bus += random.Next(3);
        }

        foreach (PciBusId root in functions.Where(f => f.HostBridge is not null).Select(f => f.HostBridge!.Value).Distinct())
        {
            builder.AddHostBridge(new HostBridge { Bus = root });
        }

        functions.ForEach(function => builder.AddFunction(function));
        using var output = new StringWriter();
        IReadOnlyList<PciPlace> unplaced = LspciHexWriter.Write(builder.Build().Snapshot, output);
        ImportResult result = new LspciImporter().Import(TestText.Utf8(output.ToString()), "dump", ImportLimits.Default);

        Assert.That(unplaced, Is.Empty);
        Assert.That(result.Errors, Is.Empty);
        Assert.That(
            result.Topology!.Snapshot.Functions.Select(Describe),
            Is.EqualTo(functions.OrderBy(f => f.Address).Select(Describe)));
    }

    private static void Fill(Random random, List<PciFunction> functions, PciBusId at, PciAddress? parent, ref int nextBus, int depth)
    {
        int count = random.Next(1, 4);
        for (int device = 0; device < count; device++)
        {
            var address = new PciAddress(at.Domain, at.Bus, device * 2, random.Next(2) * 3);
            bool isBridge = depth < 4 && nextBus < 250 && random.Next(3) == 0;
            int place = functions.Count;
            functions.Add(null!);
            PciBusRange? buses = null;
            if (isBridge)
            {
                int secondary = nextBus++;
                Fill(random, functions, new PciBusId(at.Domain, secondary), address, ref nextBus, depth + 1);
                buses = new PciBusRange((byte)secondary, (byte)(nextBus - 1));
            }

            functions[place] = Make(random, address, buses) with { Parent = parent, HostBridge = parent is null ? at : null };
        }
    }

    private static PciFunction Make(Random random, PciAddress address, PciBusRange? buses)
    {
        PciPortType type = buses is null ? Leaves[random.Next(Leaves.Length)] : Bridges[random.Next(Bridges.Length)];
        bool isExpress = type is not (PciPortType.Unknown or PciPortType.ConventionalPci or PciPortType.ConventionalBridge);
        bool hasLink = isExpress && type != PciPortType.RootComplexEndpoint;
        return new PciFunction
        {
            Address = address,
            Id = random.Next(5) == 0 ? null : new PciId((ushort)random.Next(0xffff), (ushort)random.Next(0x10000)),
            SubsystemId = buses is null && random.Next(2) == 0 ? new PciId((ushort)random.Next(1, 0xffff), 7) : null,
            Class = buses is not null ? PciClass.PciBridge
                : random.Next(5) == 0 ? null
                : new PciClass((uint)random.Next(0xffffff) & ~0x060000U),
            PortType = type,
            Acs = !isExpress ? (type == PciPortType.Unknown ? AcsControl.Unknown : AcsControl.Absent)
                : random.Next(3) switch
                {
                    0 => AcsControl.Unknown,
                    1 => AcsControl.Absent,
                    _ => AcsControl.Of((AcsBits)random.Next(0x10000)),
                },
            Link = hasLink ? new PciLink(Link(random), Link(random)) : default,
            BusesBelow = buses,
            Bars = Bars(random, buses is null ? 6 : 2),
        };
    }

    private static PciLinkState Link(Random random) =>
        random.Next(3) == 0 ? default : new PciLinkState(new PciLinkSpeed(Speeds[random.Next(1, Speeds.Length)]), (byte)random.Next(1, 33));

    private static List<PciBar> Bars(Random random, int count)
    {
        bool isOff = random.Next(4) == 0;
        PciBarFlags off = isOff ? PciBarFlags.Disabled : PciBarFlags.None;
        var bars = new List<PciBar>();
        for (int index = 0; index < count; index++)
        {
            switch (random.Next(4))
            {
                case 0:
                    bars.Add(new PciBar(index, new PhysAddr((ulong)random.Next(1, 0xfffffff) << 4), null, PciBarFlags.Memory | off));
                    break;
                case 1 when index + 1 < count:
                    ulong address = (ulong)random.NextInt64(1, 1L << 48) << 12;
                    bars.Add(new PciBar(index, new PhysAddr(address), null, PciBarFlags.Memory | PciBarFlags.Is64Bit | PciBarFlags.Prefetchable | off));
                    index++;
                    break;
                default:
                    break;
            }
        }

        return bars;
    }

    private static string Describe(PciFunction f) =>
        $"{f.Address} {f.Parent} {f.Id} {f.SubsystemId} {f.Class} {f.PortType} {f.Acs} {f.Link.Capable} {f.Link.Current} {f.BusesBelow} {string.Join(';', f.Bars)}";
}
