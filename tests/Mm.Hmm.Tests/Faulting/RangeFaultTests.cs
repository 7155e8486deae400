using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Faulting;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Faulting;

public sealed partial class RangeFaultTests
{
    [Test]
    public void Snapshot_OfEachKindOfEntry_TellsEachAsItIs()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = FiveKinds(rig);
        HmmRange request = rig.Ask(range);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray(), Is.EqualTo(new[]
        {
            HmmPfn.None,
            HmmPfn.Readable(rig.Base.FrameAt(Part(range, 1).Start)),
            HmmPfn.Writable(rig.Base.FrameAt(Part(range, 2).Start)),
            HmmPfn.Writable(rig.Base.FrameAt(Part(range, 3).Start)),
            HmmPfn.None,
        }));
        Assert.That(rig.Base.Devices.Select(device => device.UsedPages.Value), Is.All.EqualTo(1UL), "nothing has moved");
    }

    [Test]
    public void Fault_OfEachKindOfEntry_MakesAllValidAndBringsOthersPagesHome()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = FiveKinds(rig);
        HmmRange request = rig.Ask(range, HmmPfn.RequestFault);
        while (rig.TryFault(request) == Errno.EBUSY)
        {
            request.Pfns.Clear();
            request.Sequence = rig.Notifier.ReadBegin();
        }

        Assert.That(request.Pfns.ToArray().Select(word => word.IsValid), Is.All.True);
        Assert.That(request.Pfns[3].Frame, Is.EqualTo(rig.Base.FrameAt(Part(range, 3).Start)), "its own page comes as it is");
        Assert.That(rig.Base.Devices.Select(device => device.UsedPages.Value), Is.EqualTo(new[] { 1UL, 0UL }));
        Assert.That(rig.Base.Read(Part(range, 4)), Is.EqualTo(Words(1, first: 4)));
    }

    [Test]
    public void Snapshot_WithoutOwner_TellsNoDevicesPrivatePage()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = FiveKinds(rig);
        HmmRange request = rig.Ask(Part(range, 3, 2));
        request.Owner = null;
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray(), Is.All.EqualTo(HmmPfn.None));
    }

    [Test]
    public void Snapshot_OfCoherentPages_TellsThemWhoseverTheyAre()
    {
        using var rig = new RangeFaultRig(MirrorMemoryKind.Coherent);
        VirtRange range = FiveKinds(rig);
        HmmRange request = rig.Ask(Part(range, 3, 2));
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray().Select(word => word.IsWritable), Is.All.True);
    }

    [Test]
    public void WriteFault_OfAnAreaThatForbidsWriting_IsEperm()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(2, AreaAccess.Read);
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestWrite)), Is.EqualTo(Errno.EPERM));
        Assert.That(rig.Base.Read(range), Is.All.Zero);
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestWrite)), Is.EqualTo(Errno.EPERM), "the page of zeros too");
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Fault_OfAnAreaThatForbidsReading_IsEfaultAndASnapshotTellsAnError()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(2, AreaAccess.None);
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.EFAULT));
        AssertSnapshotIsError(rig, range);
    }

    [Test]
    public void Fault_WhereNoAreaIs_IsEfaultAndASnapshotTellsAnError()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(3);
        rig.Space.TryUnmap(Part(range, 1).Start, Part(range, 1).Length).ThrowIfError();
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.EFAULT));

        HmmRange request = rig.Ask(range);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray().Select(word => word.IsError), Is.EqualTo(new[] { false, true, false }));
    }

    [TestCase(AreaKind.PfnMapped)]
    [TestCase(AreaKind.DeviceMemory)]
    public void Fault_OfAnAreaWithoutPages_IsEfaultAndASnapshotTellsAnError(AreaKind kind)
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(2, kind: kind);
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.EFAULT));
        AssertSnapshotIsError(rig, range);
    }

    [Test]
    public void Fault_BeyondTheEndOfAFile_IsEfault()
    {
        using var rig = new RangeFaultRig();
        using MemoryFile file = rig.Base.MakeFile(1);
        VirtRange range = rig.Base.Map(2, AreaAccess.ReadWrite, AreaKind.FileShared, file);
        Assert.That(rig.TryFault(rig.Ask(Part(range, 0), HmmPfn.RequestFault)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.TryFault(rig.Ask(Part(range, 1), HmmPfn.RequestFault)), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void Fault_WithoutMemory_IsEfault()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(1);
        HmmRange request = rig.Ask(range, HmmPfn.RequestWrite);
        rig.Base.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestWrite)), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void DefaultFlags_WithAnEmptyMask_OverrideWhatPagesAsk()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(2);
        HmmRange request = rig.Ask(range, HmmPfn.RequestFault);
        request.Pfns[1] = HmmPfn.RequestWrite;
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray().Select(word => (word.IsValid, word.IsWritable)), Is.All.EqualTo((true, false)));

        HmmRange nothing = rig.Ask(rig.Base.Map(1));
        nothing.Pfns[0] = HmmPfn.RequestWrite;
        Assert.That(rig.TryFault(nothing), Is.EqualTo(Errno.Ok));
        Assert.That(nothing.Pfns[0], Is.EqualTo(HmmPfn.None), "a wish that the mask leaves out is none");
    }

    [Test]
    public void PagesWishes_ThatTheMaskLetsThrough_AreServedPageByPage()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(4);
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.ReadWrite).ThrowIfError();
        HmmRange request = rig.Ask(range);
        request.FlagsMask = HmmPfn.RequestWrite;
        request.Pfns[2] = HmmPfn.RequestWrite;
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns[2].IsWritable, Is.True);
        Assert.That(request.Pfns.ToArray().Select(word => word.IsValid), Is.All.True);
    }

    [Test]
    public void Fault_AfterAnInvalidationSinceTheMoment_IsEbusy()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(2);
        HmmRange request = rig.Ask(range);
        rig.Space.TryDropPages(range.Start, range.Length).ThrowIfError();
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.EBUSY));

        HmmRange again = rig.Ask(range);
        Assert.That(rig.TryFault(again), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Notifier.IsRetryNeeded(again.Sequence), Is.False);
    }

    [Test]
    public void Fault_ThatInvalidatesItself_IsEbusyAndNeverAStaleAnswer()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(1);
        Assert.That(ToDevice(rig.Base.Mirrors[1], range, out _), Is.EqualTo(Errno.Ok));

        // Another device's page comes home by a migration, whose notice ends the moment.
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.EBUSY));
        HmmRange again = rig.Ask(range, HmmPfn.RequestFault);
        Assert.That(rig.TryFault(again), Is.EqualTo(Errno.Ok));
        Assert.That(again.Pfns[0].Frame, Is.EqualTo(rig.Base.FrameAt(range.Start)));
    }

    [Test]
    public void Fault_OfAnExclusivePage_TakesItBack()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(1);
        rig.Base.Mirror.TryMakeExclusive(range).ThrowIfError();
        HmmRange snapshot = rig.Ask(range);
        Assert.That(rig.TryFault(snapshot), Is.EqualTo(Errno.Ok));
        Assert.That(snapshot.Pfns[0], Is.EqualTo(HmmPfn.None));

        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.EBUSY), "mirrors were told");
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Base.Mirror.CheckExclusive(range), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void MapOrder_OfARangeInsideALargePage_CountsFromTheLeafsStart()
    {
        using var rig = new RangeFaultRig();
        VirtRange leaf = rig.Base.MapHuge();
        rig.Base.Write(Part(leaf, 0), Words(1));
        Pfn head = rig.Base.Space.Tables.ReadLeaf(leaf.Start, out _).Frame;
        foreach (int first in new[] { 0, 1, 255, 511 })
        {
            HmmRange request = rig.Ask(Part(leaf, first, 512 - first));
            Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
            Assert.That(request.Pfns.ToArray().Select(word => word.MapOrder), Is.All.EqualTo(9));
            Assert.That(request.Pfns[0].Frame, Is.EqualTo(head.AddChecked(new PageCount((ulong)first))));

            // Museum 28: from here to the leaf's end, not a whole leaf.
            ulong usable = (1UL << request.Pfns[0].MapOrder) - (request.Pfns[0].Frame.Value & ((1UL << request.Pfns[0].MapOrder) - 1));
            Assert.That(usable, Is.EqualTo((ulong)request.Pfns.Length), "mapped bytes lie in the range that was asked");
        }
    }

    [Test]
    public void TryFault_OfNull_Throws()
    {
        using var rig = new RangeFaultRig();
        Assert.That(() => RangeFault.TryFault(null!, rig.Ask(rig.Base.Map(1))), Throws.ArgumentNullException);
        Assert.That(() => RangeFault.TryFault(rig.Space, null!), Throws.ArgumentNullException);
    }

    private static void AssertSnapshotIsError(RangeFaultRig rig, VirtRange range)
    {
        HmmRange request = rig.Ask(range);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray(), Is.All.EqualTo(HmmPfn.Error));
    }

    // A hole, read-only, writable, the first device's, the second's.
    private static VirtRange FiveKinds(RangeFaultRig rig)
    {
        VirtRange range = rig.Base.Map(5);
        for (int page = 1; page < 5; page++)
        {
            rig.Base.Write(Part(range, page), Words(1, first: page));
        }

        rig.Space.TryProtect(Part(range, 1).Start, Part(range, 1).Length, AreaAccess.Read).ThrowIfError();
        Assert.That(ToDevice(rig.Base.Mirrors[0], Part(range, 3), out _), Is.EqualTo(Errno.Ok));
        Assert.That(ToDevice(rig.Base.Mirrors[1], Part(range, 4), out _), Is.EqualTo(Errno.Ok));
        rig.Heard.Clear();
        return range;
    }
}
