using FsCheck;
using FsCheck.Fluent;
using Mm.P2pDma.Topologies;

namespace Mm.Testing.Generators;

/// <summary>Generators and shrinkers for PCI trees: several host bridges, listed ones and others, ACS of all kinds.</summary>
/// <remarks>
/// Registered by <c>[Property(Arbitrary = [typeof(TopologyArbitraries)])]</c>. Shrinks by dropping leaves, then by
/// taking ACS away.
/// </remarks>
public static class TopologyArbitraries
{
    private static readonly PciId[] Identities =
    [
        new(0x8086, 0x3c00), new(0x8086, 0x2f01), new(0x8086, 0x2030), new(0x8086, 0x09a2),
        new(0x1022, 0x1480), new(0x1b36, 0x000c), new(0x1ae0, 0x0001),
    ];

    private static readonly CpuIdentity[] Cpus =
    [
        new(CpuVendor.Intel, 6, null), new(CpuVendor.Intel, 6, null), new(CpuVendor.Amd, 0x16, null),
        new(CpuVendor.Amd, 0x17, null), new(CpuVendor.Hygon, 0x18, null), new(CpuVendor.Arm, null, null),
    ];

    /// <summary>Trees of 1 to 16 functions of which everything is known.</summary>
    public static Gen<TopologySketch> KnownSketches { get; } = Sketches(maxFunctions: 16, unknownPerMille: 0);

    /// <summary>Trees of 1 to 7 functions of which some ACS, identities or the CPU are not known.</summary>
    public static Gen<TopologySketch> PartlyKnownSketches { get; } = Sketches(maxFunctions: 7, unknownPerMille: 250);

    /// <summary>Trees of which everything is known.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<TopologySketch> TopologySketches() => Arb.From(KnownSketches, Shrink);

    /// <summary>The sketches that are one step smaller.</summary>
    /// <param name="sketch">A sketch.</param>
    /// <returns>Smaller ones, each as sound.</returns>
    public static IEnumerable<TopologySketch> Shrink(TopologySketch sketch)
    {
        ArgumentNullException.ThrowIfNull(sketch);
        for (int i = sketch.Functions.Count - 1; i >= 0 && sketch.Functions.Count > 1; i--)
        {
            PciFunction leaf = sketch.Functions[i];
            if (sketch.Functions.All(other => other.Parent != leaf.Address))
            {
                yield return sketch with { Functions = [.. sketch.Functions.Where(other => other != leaf)] };
            }
        }

        for (int i = 0; i < sketch.Functions.Count; i++)
        {
            if (sketch.Functions[i].Acs != AcsControl.Absent)
            {
                PciFunction[] functions = [.. sketch.Functions];
                functions[i] = functions[i] with { Acs = AcsControl.Absent };
                yield return sketch with { Functions = functions };
            }
        }
    }

    private static Gen<TopologySketch> Sketches(int maxFunctions, int unknownPerMille) =>
        from bridges in Gen.Choose(1, 3)
        from count in Gen.Choose(1, maxFunctions)
        from draws in Draw(unknownPerMille).ListOf(count)
        from cpu in Gen.Elements(Cpus)
        from cpuRoll in Gen.Choose(0, 999)
        select Grow(bridges, [.. draws], cpuRoll < unknownPerMille ? CpuIdentity.Unknown : cpu);

    private static Gen<FunctionDraw> Draw(int unknownPerMille) =>
        from isBridge in Gen.Choose(0, 2)
        from home in Gen.Choose(0, 1_000_000)
        from identity in Gen.Elements(Identities)
        from identityRoll in Gen.Choose(0, 999)
        from acs in AcsControls(unknownPerMille)
        from gap in Gen.Choose(0, 3)
        select new FunctionDraw(isBridge > 0, home, identityRoll < unknownPerMille ? null : identity, acs, gap == 0);

    private static Gen<AcsControl> AcsControls(int unknownPerMille) => Gen.Frequency(
        (500, Gen.Constant(AcsControl.Absent)),
        (150, Gen.Constant(AcsControl.Of(AcsBits.SourceValidation | AcsBits.UpstreamForwarding))),
        (150, Gen.Choose(0, 0x7f).Select(bits => AcsControl.Of((AcsBits)bits))),
        (unknownPerMille, Gen.Constant(AcsControl.Unknown)));

    // Homes are drawn from the root buses and the bridges that stand already, so that every draw fits.
    private static TopologySketch Grow(int bridgeCount, FunctionDraw[] draws, CpuIdentity cpu)
    {
        HostBridge[] bridges =
            [.. Enumerable.Range(0, bridgeCount).Select(i => new HostBridge { Bus = new PciBusId(0, i * 0x40) })];
        var homes = bridges.Select(bridge => new Home(null, bridge.Bus.Bus, bridge.Bus)).ToList();
        var functions = new List<PciFunction>();
        foreach (FunctionDraw draw in draws)
        {
            Home home = homes[draw.Home % homes.Count];
            home.NextDevice += draw.LeavesGap ? 1 : 0;
            if (home.NextDevice > 31)
            {
                continue;
            }

            var address = new PciAddress(0, home.Bus, home.NextDevice++, 0);
            bool isRoot = home.Parent is null;
            PciFunction function = new()
            {
                Address = address,
                Parent = home.Parent,
                HostBridge = home.HostBridge,
                Id = draw.Identity,
                Class = draw.IsBridge ? PciClass.PciBridge : new PciClass(0x010802),
                PortType = !draw.IsBridge ? PciPortType.Endpoint : isRoot ? PciPortType.RootPort : PciPortType.SwitchUpstream,
                Acs = draw.Acs,
            };
            functions.Add(function);
            if (draw.IsBridge)
            {
                homes.Add(new Home(address, 0x08 + homes.Count, home.HostBridge));
            }
        }

        return new TopologySketch(cpu, bridges, functions);
    }

    private sealed record FunctionDraw(bool IsBridge, int Home, PciId? Identity, AcsControl Acs, bool LeavesGap);

    private sealed class Home(PciAddress? parent, int bus, PciBusId hostBridge)
    {
        public PciAddress? Parent { get; } = parent;

        public int Bus { get; } = bus;

        public PciBusId HostBridge { get; } = hostBridge;

        public int NextDevice { get; set; }
    }
}
