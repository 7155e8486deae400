using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Reading;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ImportDraftTests
{
    private readonly ImportLog log = new("f", ImportLimits.Default);

    [Test]
    public void TryAdd_TakenAddress_IsAnErrorThatNamesTheFirstLine()
    {
        var draft = new ImportDraft(log);
        var function = new PciFunction { Address = PciAddress.Parse("0000:01:00.0") };
        Assert.That(draft.TryAdd(function, log.At(3, 1)), Is.True);
        Assert.That(draft.TryAdd(function, log.At(9, 5)), Is.False);
        Assert.That(
            log.Finish("x", draft.Build).Errors.Single().ToString(),
            Is.EqualTo("f:9:5: the address is taken: line 3 has it too: found \"0000:01:00.0\", allowed each address once"));
    }

    [Test]
    public void TryAdd_SameAddressOnAnotherHost_Passes()
    {
        var draft = new ImportDraft(log);
        draft.Builder.AddHost(new TopologyHost(new HostId(0))).AddHost(new TopologyHost(new HostId(1)));
        var function = new PciFunction { Address = PciAddress.Parse("0000:01:00.0") };
        Assert.That(draft.TryAdd(function, log.At(3, 1)), Is.True);
        Assert.That(draft.TryAdd(function with { Host = new HostId(1) }, log.At(4, 1)), Is.True);
        Assert.That(log.Finish("x", draft.Build).IsImported, Is.True);
    }

    [Test]
    public void Build_Defect_HasThePlaceOfItsFunction()
    {
        var draft = new ImportDraft(log);
        draft.TryAdd(new PciFunction { Address = PciAddress.Parse("0000:01:00.0"), Parent = PciAddress.Parse("0000:00:01.0") }, log.At(7, 2));
        ImportResult result = log.Finish("x", draft.Build);
        Assert.That(result.Topology, Is.Null);
        Assert.That(result.Errors.Single().Position, Is.EqualTo(new ImportPosition("f", 7, 2)));
    }

    [Test]
    public void Build_SlowLinkAboveAFastOne_IsNoted()
    {
        var draft = new ImportDraft(log);
        PciAddress above = PciAddress.Parse("0000:00:01.0");
        draft.TryAdd(
            new PciFunction { Address = above, Class = PciClass.PciBridge, Link = new PciLink { Reported = LinkBandwidth.FromMegabytes(1969) } },
            log.At(1, 1));
        draft.TryAdd(
            new PciFunction
            {
                Address = PciAddress.Parse("0000:01:00.0"),
                Parent = above,
                Link = new PciLink { Reported = LinkBandwidth.FromMegabytes(63_015) },
            },
            log.At(2, 1));
        Assert.That(log.Finish("x", draft.Build).Notes.Single().ToString(), Does.StartWith("f:1:1: note: the link of 0000:00:01.0"));
    }
}
