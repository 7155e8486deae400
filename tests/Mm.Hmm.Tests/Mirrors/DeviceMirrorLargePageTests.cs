using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Exclusive;
using Mm.Hmm.Migration;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Pages of 2 MiB: broken up by v6.12, moved whole by v6.19; and what else the two do differently.</summary>
public sealed class DeviceMirrorLargePageTests
{
    private static readonly LinuxProfile[] Profiles = [LinuxProfile.V612, LinuxProfile.V619];

    private static bool IsNew(LinuxProfile profile) => profile == LinuxProfile.V619;

    [Test]
    public void LargePage_ToTheDeviceAndBack_GoesWholeOnlyInTheNewerKernel([ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new MirrorRig(profile: profile);
        VirtRange range = rig.MapHuge();
        byte[] words = Words(512, first: 9);
        rig.Write(range, words);
        rig.ToDevice(range);
        _ = rig.Space.Tables.ReadLeaf(range.Start, out PageSize size);
        Assert.That(size, Is.EqualTo(IsNew(profile) ? PageSize.Large : PageSize.Small));
        Assert.That(Places(rig.Mirror, range), Is.All.EqualTo(rig.Here));
        Assert.That((rig.Device.UsedPages.Value, rig.Device.Engine.Counters.Copied.Value), Is.EqualTo((512UL, 512UL)));
        Assert.That(rig.Device.Engine.Counters.Jobs, Is.EqualTo(IsNew(profile) ? 1UL : 8UL), "one list of one copy, or eight of 64");
        AssertSame(DeviceRead(rig.Mirror, range, faults: 0), words);
        rig.Machine.Validate();

        // One touch of the CPU anywhere in it.
        AssertSame(rig.Read(Part(range, 300)), words.AsSpan(300 * PageBytes, PageBytes));
        _ = rig.Space.Tables.ReadLeaf(range.Start, out size);
        Assert.That((size, rig.Device.UsedPages.Value), Is.EqualTo(IsNew(profile) ? (PageSize.Large, 0UL) : (PageSize.Small, 511UL)));
        AssertSame(rig.Read(range), words);
    }

    [Test]
    public void LargeHole_FirstTouchedByAMigration_IsOnePieceOfTheDevices()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        PageCount before = rig.Machine.Allocator.Statistics.InUse;
        rig.ToDevice(range);
        _ = rig.Space.Tables.ReadLeaf(range.Start, out PageSize size);
        Assert.That((size, rig.Machine.Allocator.Statistics.InUse), Is.EqualTo((PageSize.Large, before)));
        Assert.That(rig.Device.Engine.Counters.Cleared.Value, Is.EqualTo(512UL));
        DeviceWrite(rig.Mirror, Part(range, 17), Words(1, first: 3), faults: 0);
        AssertSame(rig.Read(Part(range, 17)), Words(1, first: 3));
    }

    [Test]
    public void LargePage_WhereTheDeviceHasNo2MiB_GoesPageByPage()
    {
        using var rig = new MirrorRig(deviceMiB: 4, profile: LinuxProfile.V619);
        VirtRange other = rig.MapFilled(1);
        rig.ToDevice(other);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        VirtRange second = rig.MapHuge();
        rig.Write(second, Words(512, first: 5));
        rig.ToDevice(range);
        Assert.That(rig.Mirror.TryMigrateToDevice(second, out PageCount moved), Is.EqualTo(Errno.Ok));
        Assert.That(moved.Value, Is.EqualTo(511UL), "as many as are left");
        AssertSame(DeviceRead(rig.Mirror, second), Words(512, first: 5));
        rig.Machine.Validate();
        AssertSame(rig.Read(second), Words(512, first: 5));
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void LargePage_ThatComesBackWhereRamIsInPieces_ComesPageByPage([Values(1, 2)] int fails)
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, (ulong)fails);
        byte[] bytes = new byte[1];
        FaultResult result = rig.Space.Read(range.Start, bytes);
        rig.Machine.Faults.Clear();
        Assert.That(result, Is.EqualTo(fails == 1 ? FaultResult.Done : FaultResult.BusError), "the first page is the one that is touched");
        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void LargePage_WithDestinationsOfBasePages_IsBrokenUp_AndCopiesThatFailStay()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        var request = new MigrationRequest(range, MigrateSelect.System | MigrateSelect.Compound, rig.Device);
        AreaMigration.TrySetUp(rig.Space, request, out AreaMigration? migration).ThrowIfError();
        using (migration)
        {
            Assert.That((migration!.Offered.Value, migration.Sources[0].IsCompound, migration.Sources[1]), Is.EqualTo((1UL, true, MigratePfn.None)));
            rig.Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef small).ThrowIfError();
            Assert.That(() => migration.SetTarget(0, small, isWritable: true), Throws.ArgumentException);
            Assert.That(migration.TryBreakUp(0), Is.EqualTo(Errno.Ok));
            Assert.That(() => migration.TryBreakUp(0), Throws.InvalidOperationException);
            Assert.That((migration.Sources[0].IsCompound, migration.Sources[511].Migrates), Is.EqualTo((false, true)));
            var job = new CopyJobPool().Rent();
            job.Add(PageCopy.Of(migration.Sources[7].Page, small.Page));
            migration.SetTarget(7, small, isWritable: true);
            rig.Device.Engine.TrySubmit(job).ThrowIfError();
            _ = job.Fence.Wait();
            migration.SetWritten(7);
            job.Dispose();
            migration.Move();
            Assert.That((migration.Reasons[7], migration.Reasons[8]), Is.EqualTo((StayReason.None, StayReason.NoDestination)));
        }

        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void LargeCopy_ThatFails_LeavesThePageWhole_AndSaysSoOfEach()
    {
        using var rig = new MirrorRig(hasOwnEngines: true, profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.Machine.Faults.FailNth(CopyFaults.Page, 1);
        var stayed = new List<StayReason>();
        rig.Mirror.TryMigrateToDevice(range, out PageCount moved, (_, reason) => stayed.Add(reason)).ThrowIfError();
        rig.Machine.Faults.Clear();
        _ = rig.Space.Tables.ReadLeaf(range.Start, out PageSize size);
        Assert.That((moved.Value, stayed.Count, size, rig.Device.UsedPages.Value), Is.EqualTo((0UL, 512, PageSize.Large, 0UL)));
        Assert.That(stayed, Is.All.EqualTo(StayReason.NotWritten));
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void LargePage_OnTheDevice_IsForked_PartlyUnmapped_AndEvicted()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        using (AddressSpace child = rig.Fork())
        {
            rig.Machine.Validate();
            _ = child.Tables.ReadLeaf(range.Start, out PageSize size);
            Assert.That(size, Is.EqualTo(PageSize.Large), "shared in one piece");
            rig.Space.TryUnmap(Part(range, 0, 100).Start, Part(range, 0, 100).Length).ThrowIfError();
            rig.Machine.Validate();
            AssertSame(MirrorRig.Read(child, Part(range, 50)), Words(512).AsSpan(50 * PageBytes, PageBytes));
            AssertSame(rig.Read(Part(range, 200)), Words(512).AsSpan(200 * PageBytes, PageBytes));
            rig.Machine.Validate();
            AssertSame(MirrorRig.Read(child, range), Words(512));
        }

        _ = rig.Device.Evict();
        Assert.That(rig.Device.UsedPages.Value, Is.Zero);
        AssertSame(rig.Read(Part(range, 100, 412)), Words(512).AsSpan(100 * PageBytes));
    }

    [Test]
    public void LargePage_Evicted_ComesBackWhole_InParentAndChild([Values] bool hasChild, [Values] bool hasNeighbour)
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange before = rig.MapFilled(hasNeighbour ? 300 : 1);
        rig.ToDevice(before);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        using AddressSpace? child = hasChild ? rig.Fork() : null;
        Assert.That(rig.Device.Evict().Value, Is.EqualTo((ulong)(PagesOf(before) + 512)));
        rig.Machine.Validate();
        Assert.That(IsRamLeaf(rig.Space, range) && (child is null || IsRamLeaf(child, range)), Is.True);
        AssertSame(rig.Read(range), Words(512));
        AssertSame(MirrorRig.Read(child ?? rig.Space, range), Words(512));
        AssertSame(rig.Read(before), Words(PagesOf(before)));
    }

    [Test]
    public void LargePage_EvictedWhereRamIsInPieces_ComesBackPageByPage([Values] bool isHeld)
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        PageRef held = default;
        _ = isHeld ? rig.Machine.Frames.TryGet(rig.FrameAt(range.Start), out held) : Errno.Ok;
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.Device.Evict().Value, Is.EqualTo(isHeld ? 0UL : 512UL));
        rig.Machine.Faults.Clear();
        rig.Machine.Validate();
        held.Dispose();
        Assert.That(IsRamLeaf(rig.Space, range), Is.False);
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void LargePage_MappedInPart_IsEvictedWhole()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        rig.Space.TryUnmap(range.Start, new PageCount(100).ToBytes()).ThrowIfError();
        ulong jobs = rig.Device.Engine.Counters.Jobs;
        Assert.That(rig.Device.Evict().Value, Is.EqualTo(512UL), "the parts that nobody maps too");
        Assert.That(rig.Device.Engine.Counters.Jobs, Is.EqualTo(jobs + 1));
        rig.Machine.Validate();
        Pfn head = rig.FrameAt(Part(range, 100).Start);
        Assert.That((rig.Machine.Frames.IsLarge(head), rig.FrameAt(Part(range, 511).Start).Value - head.Value), Is.EqualTo((true, 411UL)));
        AssertSame(rig.Read(Part(range, 100, 412)), Words(512).AsSpan(100 * PageBytes));
    }

    [Test]
    public void LargePage_OfAnotherDevice_IsBroughtHomeByARead()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        AssertSame(DeviceRead(rig.Mirrors[1], Part(range, 3, 5)), Words(512).AsSpan(3 * PageBytes, 5 * PageBytes));
        Assert.That(rig.Device.UsedPages.Value, Is.Zero);
        rig.Machine.Validate();
    }

    [Test]
    public void PinnedLargePage_StaysWhole([ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new MirrorRig(profile: profile);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        var pins = new PagePin[1];
        rig.Space.TryPin(Part(range, 5).Start, PinFlags.Write | PinFlags.LongTerm, pins, out _).ThrowIfError();
        rig.Mirror.TryMigrateToDevice(range, out PageCount moved).ThrowIfError();
        _ = rig.Space.Tables.ReadLeaf(range.Start, out PageSize size);
        Assert.That((moved.Value, size), Is.EqualTo((0UL, PageSize.Large)));
        pins[0].Dispose();
        rig.ToDevice(range);
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void LargePage_ThatSomebodyHolds_StaysWhole_AndSaysSoOfEach()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.Machine.Frames.TryGet(rig.FrameAt(range.Start), out PageRef held).ThrowIfError();
        var stayed = new List<StayReason>();
        rig.Mirror.TryMigrateToDevice(range, out PageCount moved, (_, reason) => stayed.Add(reason)).ThrowIfError();
        held.Dispose();
        Assert.That((moved.Value, stayed.Count), Is.EqualTo((0UL, 512)));
        Assert.That(stayed, Is.All.EqualTo(StayReason.InUse));
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void Exclusive_OfALockedPage_IsPassedOverOnlyByTheOlderKernel([ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new MirrorRig(profile: profile);
        VirtRange range = rig.MapFilled(1);
        if (!IsNew(profile))
        {
            Pfn page = rig.FrameAt(range.Start);
            Assert.That(rig.Space.PageLocks.TryLock(page), Is.True);
            Assert.That(rig.Mirror.TryMakeExclusive(range), Is.EqualTo(Errno.EBUSY));
            rig.Space.PageLocks.Unlock(page);
        }

        Assert.That(rig.Mirror.TryMakeExclusive(range), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.EPERM));
        AssertSame(rig.Read(range), Words(1));
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Exclusive_OfOnePage_TakesPartsOfLargePages_ButNoFiles()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        Assert.That(ExclusiveAccess.TryMakeOne(rig.Space, Part(range, 9).Start, out ExclusivePage page), Is.EqualTo(Errno.Ok));
        Assert.That(page.Page, Is.EqualTo(rig.FrameAt(Part(range, 9).Start)));
        page.Dispose();
        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));

        using MemoryFile file = rig.MakeFile(1);
        VirtRange shared = rig.Map(1, kind: AreaKind.FileShared, file: file);
        Assert.That(ExclusiveAccess.TryMakeOne(rig.Space, shared.Start, out page), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(page.IsEmpty, Is.True);
        Assert.That(ExclusiveAccess.TryMakeOne(rig.Space, default, out page), Is.EqualTo(Errno.EFAULT));
    }
}
