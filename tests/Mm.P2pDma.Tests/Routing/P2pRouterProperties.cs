using FsCheck;
using FsCheck.Fluent;
using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using Mm.Testing.Generators;

namespace Mm.P2pDma.Tests.Routing;

public sealed class P2pRouterProperties
{
    private static readonly P2pMapKind[] Kinds =
        [P2pMapKind.BusAddress, P2pMapKind.ThroughHostBridge, P2pMapKind.NotSupported];

    [FsCheck.NUnit.Property(MaxTest = 300, Arbitrary = [typeof(TopologyArbitraries)])]
    public void Decide_AllPairs_IsWhatBruteForceFinds(TopologySketch sketch)
    {
        var router = new P2pRouter(sketch.Build());
        foreach (PciFunction provider in sketch.Functions)
        {
            foreach (PciFunction client in sketch.Functions)
            {
                (P2pMapKind kind, int hops) =
                    KernelReference.Decide(sketch.Functions, sketch.Cpu, provider.Address, client.Address);
                P2pVerdict verdict = router.Decide(provider.Place, client.Place);

                Assert.That((verdict.Kind, verdict.Hops, verdict.IsCertain), Is.EqualTo((kind, (int?)hops, true)),
                    $"{provider} <- {client}\n{sketch}");
                Assert.That(router.Explain(provider.Place, client.Place).Verdict, Is.EqualTo(verdict));
            }
        }
    }

    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property Decide_UnknownFacts_CanBeExactlyWhatTheCompletionsGive() =>
        Prop.ForAll(Arb.From(TopologyArbitraries.PartlyKnownSketches, TopologyArbitraries.Shrink), sketch =>
        {
            var router = new P2pRouter(sketch.Build());
            PciFunction provider = sketch.Functions[0];
            PciFunction client = sketch.Functions[^1];
            P2pVerdict verdict = router.Decide(provider.Place, client.Place);

            HashSet<P2pMapKind> possible =
            [
                .. Completions(sketch).Select(full =>
                    KernelReference.Decide(full.Functions, full.Cpu, provider.Address, client.Address).Kind),
            ];

            Assert.That(Kinds.Where(verdict.CanBe), Is.EquivalentTo(possible), $"{provider} <- {client}\n{sketch}");
            Assert.That(verdict.IsCertain, Is.EqualTo(possible.Count == 1));
            RouteExplanation why = router.Explain(provider.Place, client.Place);
            Assert.That(why.Missing, verdict.IsCertain ? Is.Empty : Is.Not.Empty);
            Assert.That(why.Alternatives.Select(a => a.Kind), verdict.IsCertain ? Is.Empty : Is.EquivalentTo(possible));
        });

    [FsCheck.NUnit.Property(MaxTest = 200, Arbitrary = [typeof(TopologyArbitraries)])]
    public void Decide_AfterEdits_IsThatOfAFreshRouter(TopologySketch sketch, NonNegativeInt[] edits)
    {
        ArgumentNullException.ThrowIfNull(edits);
        Topology topology = sketch.Build();
        var router = new P2pRouter(topology);
        foreach (NonNegativeInt edit in edits.Take(6))
        {
            _ = router.Matrix();
            ValidityToken before = router.Validity;
            Edit(topology, edit.Get);
            Assert.That(before.IsValid, Is.False);

            P2pMatrix kept = router.Matrix();
            P2pMatrix fresh = new P2pRouter(topology.Fork()).Matrix();
            for (int i = 0; i < kept.Functions.Count; i++)
            {
                for (int j = 0; j < kept.Functions.Count; j++)
                {
                    Assert.That(kept[i, j], Is.EqualTo(fresh[i, j]));
                }
            }
        }
    }

    [FsCheck.NUnit.Property(MaxTest = 300, Arbitrary = [typeof(TopologyArbitraries)])]
    public void FindAcsRemedy_SmallTrees_IsTheSmallestSetThatHelps(TopologySketch sketch)
    {
        (PciPlace Place, AcsBits Bit)[] bits =
        [
            .. from function in sketch.Functions
               from bit in (AcsBits[])[AcsBits.RequestRedirect, AcsBits.CompletionRedirect, AcsBits.EgressControl]
               where (function.Acs.Bits & bit) != AcsBits.None
               select (function.Place, bit),
        ];
        if (bits.Length > 8)
        {
            return;
        }

        var router = new P2pRouter(sketch.Build());
        PciPlace provider = sketch.Functions[0].Place;
        PciPlace client = sketch.Functions[^1].Place;
        int? smallest = null;
        for (int subset = 0; subset < 1 << bits.Length; subset++)
        {
            int count = int.PopCount(subset);
            if (count < (smallest ?? int.MaxValue) && IsDirectWithout(sketch, bits, subset, provider, client))
            {
                smallest = count;
            }
        }

        AcsRemedy remedy = router.FindAcsRemedy(provider, client);
        Assert.That(remedy.IsPossible, Is.EqualTo(smallest is not null));
        if (smallest is not null)
        {
            Assert.That(remedy.BitCount, Is.EqualTo(smallest));
            Assert.That(router.WhatIf(remedy).Decide(provider, client).Kind, Is.EqualTo(P2pMapKind.BusAddress));
        }
    }

    private static bool IsDirectWithout(
        TopologySketch sketch, (PciPlace Place, AcsBits Bit)[] bits, int subset, PciPlace provider, PciPlace client)
    {
        var functions = sketch.Functions.Select(function =>
        {
            AcsBits cleared = AcsBits.None;
            for (int i = 0; i < bits.Length; i++)
            {
                cleared |= (subset & (1 << i)) != 0 && bits[i].Place == function.Place ? bits[i].Bit : AcsBits.None;
            }

            return function with { Acs = function.Acs.Without(cleared) };
        }).ToList();
        return KernelReference.Decide(functions, sketch.Cpu, provider.Address, client.Address).Kind == P2pMapKind.BusAddress;
    }

    private static void Edit(Topology topology, int choice)
    {
        IReadOnlyList<PciFunction> functions = topology.Snapshot.Functions;
        PciFunction target = functions[choice % functions.Count];
        int rest = choice / functions.Count;
        Errno errno = (rest % 4) switch
        {
            0 => topology.TrySetAcs(target.Place, AcsControl.Of((AcsBits)(rest % 128)), out _),
            1 when functions.Count > topology.Snapshot.CollectChildren(target).Count + 1
                && target.Parent is not null => topology.TryRemove(target.Place, out _),
            2 => topology.TryReplace(target with { Id = new PciId(0x8086, (ushort)(rest % 2 == 0 ? 0x2030 : 0x1234)) }, out _),
            _ => topology.TrySetHost(
                new TopologyHost(HostId.First) { Cpu = new CpuIdentity(CpuVendor.Amd, 0x16 + (rest % 3), null) }, out _),
        };
        Assert.That(errno, Is.EqualTo(Errno.Ok));
    }

    // Every way in which the facts could be: ACS on or off, the CPU Zen or not, first devices listed or not.
    private static IEnumerable<TopologySketch> Completions(TopologySketch sketch)
    {
        int acs = sketch.Functions.ToList().FindIndex(function => !function.Acs.IsKnown);
        if (acs >= 0)
        {
            PciFunction open = sketch.Functions[acs];
            return Vary(sketch, acs, open with { Acs = AcsControl.Absent }, open with { Acs = AcsControl.Of(AcsBits.EgressControl) });
        }

        int id = sketch.Functions.ToList().FindIndex(function => function.Id is null);
        if (id >= 0)
        {
            PciFunction open = sketch.Functions[id];
            return Vary(sketch, id, open with { Id = new PciId(0x1b36, 1) }, open with { Id = new PciId(0x8086, 0x2030) });
        }

        return sketch.Cpu.Vendor == CpuVendor.Unknown
            ? [sketch with { Cpu = new(CpuVendor.Intel, 6, null) }, sketch with { Cpu = new(CpuVendor.Amd, 0x1a, null) }]
            : [sketch];
    }

    private static IEnumerable<TopologySketch> Vary(TopologySketch sketch, int index, PciFunction one, PciFunction other)
    {
        foreach (PciFunction choice in new[] { one, other })
        {
            PciFunction[] functions = [.. sketch.Functions];
            functions[index] = choice;
            foreach (TopologySketch full in Completions(sketch with { Functions = functions }))
            {
                yield return full;
            }
        }
    }
}
