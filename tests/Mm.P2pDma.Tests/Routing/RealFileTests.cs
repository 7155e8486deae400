using Mm.Core.PhysRanges;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Hwloc;
using Mm.P2pDma.Importers.Nccl;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Tests.Importers;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Routing;

/// <summary>The verdicts on files of real machines: what the files let one say, and what they leave open.</summary>
public sealed class RealFileTests
{
    [Test]
    public void Dgx2_SkylakeRootPorts_AreAskedThoughTheListIsInPart()
    {
        P2pRouter router = Import(new HwlocXmlImporter(), "hwloc", "nvidiaDGX2.xml");

        RouteExplanation across = router.Explain(At("34:00.0"), At("57:00.0"));

        Assert.That((across.Verdict.Kind, across.Verdict.IsCertain), Is.EqualTo((P2pMapKind.ThroughHostBridge, true)));
        Assert.That(across.ProviderHostBridge!.Entry!.Device, Is.EqualTo(0x2030));
        Assert.That(across.Relation, Is.EqualTo(SmiRelation.Node).Or.EqualTo(SmiRelation.Sys));
    }

    [Test]
    public void Dgx2_OneSwitch_IsDirectUnlessTheAcsThatTheFileDoesNotTellRedirects()
    {
        P2pRouter router = Import(new HwlocXmlImporter(), "hwloc", "nvidiaDGX2.xml");

        RouteExplanation near = router.Explain(At("34:00.0"), At("36:00.0"));

        Assert.That((near.Verdict.Kind, near.Verdict.Hops, near.Verdict.IsCertain), Is.EqualTo((P2pMapKind.BusAddress, (int?)4, false)));
        Assert.That(near.Missing.Select(fact => fact.Kind), Is.All.EqualTo(MissingFactKind.Acs));
        Assert.That(
            near.Alternatives.Select(alternative => alternative.Kind),
            Is.EqualTo(new[] { P2pMapKind.BusAddress, P2pMapKind.ThroughHostBridge }));
        Assert.That(near.Relation, Is.EqualTo(SmiRelation.Pix));
    }

    [TestCase("azure-ndv4-topo.xml")]
    [TestCase("rccl-topo_4p_940.xml")]
    [TestCase("rccl-topo_8p_90a.xml")]
    public void Zen_EveryPairOfGpus_IsReachableAndAcrossRootsForCertain(string file)
    {
        P2pRouter router = Import(new NcclXmlImporter(), "nccl", file);
        PciFunction[] gpus =
            [.. router.Topology.Snapshot.Functions.Where(f => f.Class is { BaseClass: 0x03 or 0x12 })];
        Assert.That(gpus, Has.Length.GreaterThan(3));

        foreach (PciFunction provider in gpus)
        {
            foreach (PciFunction client in gpus)
            {
                P2pVerdict verdict = router.Decide(provider.Place, client.Place);
                Assert.That(verdict.IsSupported, Is.True, $"{provider} <- {client}");
                Assert.That(verdict.CanBe(P2pMapKind.NotSupported), Is.False, $"{provider} <- {client}");
                Assert.That(
                    verdict.IsCertain || verdict.CanBe(P2pMapKind.BusAddress), Is.True, "the CPU rule leaves only ACS open");
            }
        }
    }

    [TestCase("azure-ndv2-topo.xml")]
    [TestCase("azure-ndv5-topo.xml")]
    [TestCase("aws-p4d-24xl-topo.xml")]
    public void IntelInAnNcclFile_AcrossRoots_IsOpenForWantOfTheHostBridge(string file)
    {
        P2pRouter router = Import(new NcclXmlImporter(), "nccl", file);
        P2pMatrix matrix = router.Matrix();
        int open = 0;
        for (int i = 0; i < matrix.Functions.Count; i++)
        {
            for (int j = 0; j < matrix.Functions.Count; j++)
            {
                RouteExplanation why = router.Explain(matrix.Functions[i].Place, matrix.Functions[j].Place);
                if (why.CommonBridge is null && !why.Verdict.CanBe(P2pMapKind.BusAddress))
                {
                    open++;
                    Assert.That(why.Verdict.Kind, Is.EqualTo(P2pMapKind.NotSupported), "nothing is taken for granted");
                    Assert.That(why.Missing.Select(fact => fact.Kind), Does.Contain(MissingFactKind.HostBridge));
                }
            }
        }

        Assert.That(open, Is.Positive);
    }

    // Power's host bridges are in no list, and its CPUs are none that the kernel knows to carry peer traffic.
    [Test]
    public void Power8_AcrossRoots_IsNotSupportedForCertain()
    {
        P2pRouter router = Import(new HwlocXmlImporter(), "hwloc", "power8gpudistances.xml");

        P2pVerdict across = router.Decide(PciAddress.Parse("0002:01:00.0"), PciAddress.Parse("0003:01:00.0"));

        Assert.That((across.Kind, across.IsCertain), Is.EqualTo((P2pMapKind.NotSupported, true)));
    }

    // Socket 0's first device on its root bus is the listed 8086:3c00; socket 1's is a root port that is not listed.
    [TestCase("0000:00:02.0", "0000:02:00.0", P2pMapKind.ThroughHostBridge)]
    [TestCase("0000:83:00.0", "0000:82:00.0", P2pMapKind.NotSupported)]
    [TestCase("0000:02:00.0", "0000:82:00.0", P2pMapKind.NotSupported)]
    public void SandyBridgeBox_OneSocket_CarriesWhatTheOtherDoesNot(string provider, string client, P2pMapKind expected)
    {
        string path = SharedFiles.Machines("hwloc", "32em64t-2n8c+dax+nvme+mic+dimms.tar.bz2").Single();
        var router = new P2pRouter(MachineImport.Open(path).Topology!);

        P2pVerdict verdict = router.Decide(PciAddress.Parse(provider), PciAddress.Parse(client));

        Assert.That((verdict.Kind, verdict.IsCertain), Is.EqualTo((expected, true)));
    }

    [Test]
    public void Ndv5_InsideASwitch_IsDirectWhateverTheHiddenHostBridge()
    {
        P2pRouter router = Import(new NcclXmlImporter(), "nccl", "azure-ndv5-topo.xml");
        P2pMatrix matrix = router.Matrix();
        int inside = 0;
        for (int i = 0; i < matrix.Functions.Count; i++)
        {
            for (int j = 0; j < matrix.Functions.Count; j++)
            {
                if (i != j && matrix.Functions[i].Parent is { } parent && parent == matrix.Functions[j].Parent)
                {
                    inside++;
                    Assert.That(matrix[i, j].Kind, Is.EqualTo(P2pMapKind.BusAddress), $"{matrix.Functions[i]} <- {matrix.Functions[j]}");
                }
            }
        }

        Assert.That(inside, Is.EqualTo(16), "eight switches with a GPU and a NIC each");
    }

    private static P2pRouter Import(IMachineImporter importer, string folder, string file)
    {
        string path = SharedFiles.Machines(folder, file).Single();
        using FileStream stream = File.OpenRead(path);
        ImportResult result = importer.Import(stream, file, new ImportLimits());
        Assert.That(result.IsImported, Is.True, result.ToString());
        return new P2pRouter(result.Topology!);
    }
}
