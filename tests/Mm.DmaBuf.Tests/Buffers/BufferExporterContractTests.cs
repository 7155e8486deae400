using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Buffers;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BufferExporterContractTests : IDisposable
{
    private static readonly BufferClient Client = new(default, IsDynamic: false, IsPeerToPeer: false);

    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void TryAttach_MoreThanTheImporterAllows_IsABrokenPromise()
    {
        var exporter = new FakeExporter(rig.Machine) { Terms = new PeerTerms(PeerReason.Agreed, P2pMapKind.BusAddress) };
        Assert.That(() => BufferExporterContract.TryAttach(exporter, Client, out _), Throws.ArgumentException);
        Assert.That(BufferExporterContract.TryAttach(exporter, Client with { IsPeerToPeer = true }, out _), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void TryGetList_SameAsLongAsNothingMoved_IsKept()
    {
        var exporter = new FakeExporter(rig.Machine);
        PhysRangeList? first = Ask(exporter, previous: null);
        Assert.That(Ask(exporter, first), Is.SameAs(first));
        exporter.Move(new PhysAddr(0x200000));
        Assert.That(Ask(exporter, first), Is.Not.SameAs(first));
    }

    [Test]
    public void TryGetList_NewForNothing_IsABrokenPromise()
    {
        var exporter = new FakeExporter(rig.Machine) { GivesNewLists = true };
        PhysRangeList? first = Ask(exporter, previous: null);
        Assert.That(() => Ask(exporter, first), Throws.ArgumentException.With.Message.Contains("same list"));
    }

    [Test]
    public void TryGetList_NoneOrOfAnotherSize_IsABrokenPromise()
    {
        Assert.That(() => Ask(new FakeExporter(rig.Machine) { GivesNoList = true }, null), Throws.ArgumentException);
    }

    private PhysRangeList? Ask(FakeExporter exporter, PhysRangeList? previous)
    {
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        BufferExporterContract.TryGetList(exporter, held, Client, previous, out PhysRangeList? list).ThrowIfError();
        return list;
    }
}
