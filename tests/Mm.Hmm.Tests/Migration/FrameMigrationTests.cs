using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
using Mm.Hmm.Tests.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Migration;

public sealed class FrameMigrationTests
{
    private static readonly MirrorMemoryKind[] Kinds = [MirrorMemoryKind.Private, MirrorMemoryKind.Coherent];

    [Test]
    public void Move_OfPagesOfTwoProcesses_BringsThemHomeInBoth([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = OnDevice(rig, 2, out Pfn[] frames);
        using AddressSpace child = rig.Base.Fork();
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames))
        {
            Assert.That(migration.Count, Is.EqualTo(2));
            for (int index = 0; index < 2; index++)
            {
                Assert.That(migration.Sources[index].Page, Is.EqualTo(frames[index]));
                Give(rig, migration, index);
                rig.Write(migration.Sources[index], migration.Targets[index].Page);
                migration.SetWritten(index);
            }

            migration.Move();
            Assert.That(migration.Reasons.ToArray(), Is.All.EqualTo(StayReason.None));
        }

        rig.Machine.Validate();
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(child.Tables.Read(range.Start).Frame, Is.EqualTo(rig.Base.FrameAt(range.Start)));
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(2)));
        Assert.That(Read(child, range), Is.EqualTo(Words(2)));
    }

    [Test]
    public void SetUp_OfPagesThatNobodyHoldsOrSomebodyLocked_PassesThemOver()
    {
        using var rig = new MigrationRig();
        _ = OnDevice(rig, 2, out Pfn[] frames);
        Pfn idle = rig.Device.Memory.Ranges[0].Start;
        Assert.That(frames, Does.Not.Contain(idle));
        Assert.That(rig.Space.PageLocks.TryLock(frames[0]), Is.True);
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, [idle, .. frames]))
        {
            Assert.That(migration.Reasons.ToArray(), Is.EqualTo(new[] { StayReason.Elsewhere, StayReason.Locked, StayReason.None }));
            Assert.That(migration.Sources[0], Is.EqualTo(default(MigratePfn)));
        }

        rig.Space.PageLocks.Unlock(frames[0]);
        Assert.That(rig.Device.UsedPages, Is.EqualTo(new PageCount(2)));
    }

    [Test]
    public void Page_WithoutADestinationOrNotWritten_Stays()
    {
        using var rig = new MigrationRig();
        VirtRange range = OnDevice(rig, 2, out Pfn[] frames);
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames))
        {
            Give(rig, migration, 1);
            migration.Move();
            Assert.That(migration.Reasons.ToArray(), Is.EqualTo(new[] { StayReason.NoDestination, StayReason.NotWritten }));
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(new PageCount(2)));
        Assert.That(rig.Base.FrameAt(range.Start), Is.EqualTo(frames[0]));
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(2)));
    }

    [Test]
    public void Page_ThatSomebodyHolds_Stays()
    {
        using var rig = new MigrationRig(MirrorMemoryKind.Coherent);
        VirtRange range = OnDevice(rig, 1, out Pfn[] frames);
        var pins = new PagePin[1];
        rig.Space.TryPin(range.Start, PinFlags.Write, pins, out _).ThrowIfError();
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames))
        {
            Assert.That(migration.Sources[0], Is.EqualTo(default(MigratePfn)));
            Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.Pinned));
        }

        Assert.That(rig.Base.FrameAt(range.Start), Is.EqualTo(frames[0]));
        pins[0].Dispose();
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1)));
    }

    // A bug of Linux before v6.15, kept: whoever looks for migration entries takes device-exclusive ones for such.
    [TestCase(true)]
    [TestCase(false)]
    public void Page_ThatAnotherDeviceHasForItself_Stays_AndIsTakenFromItByOldKernels(bool endsExclusive)
    {
        using var rig = new MirrorRig(MirrorMemoryKind.Coherent, profile: LinuxProfile.V612 with { FailedMovesEndExclusive = endsExclusive });
        VirtRange range = rig.MapFilled(1);
        rig.ToDevice(range);
        Pfn page = rig.FrameAt(range.Start);
        rig.Mirrors[1].TryMakeExclusive(range).ThrowIfError();
        for (uint tries = 1; tries <= 2; tries++)
        {
            Assert.That(Evict(rig, page), Is.EqualTo(StayReason.InUse));
            Pte entry = rig.Space.Tables.Read(range.Start);
            Assert.That((entry.IsDeviceExclusive, entry.Frame), Is.EqualTo((!endsExclusive, page)));
            Assert.That((entry.IsWritable, entry.IsWritableDeviceExclusive), Is.EqualTo((false, !endsExclusive)));
            Assert.That(rig.Machine.Frames.ReferencesOf(page), Is.EqualTo(endsExclusive ? 2U : 1U), "one is lost, once");
        }

        Assert.That(rig.Read(range), Is.EqualTo(Words(1)));
        rig.Write(range, Words(1, first: 5));
        Assert.That(rig.FrameAt(range.Start), Is.EqualTo(page));
        rig.Machine.Validate();
        rig.Space.Dispose();
        Assert.That(rig.Device.UsedPages.Value, Is.EqualTo(endsExclusive ? 1UL : 0), "it is not freed");
        rig.Machine.Spaces.Dispose(); // but when all spaces end
    }

    private static StayReason Evict(MirrorRig rig, Pfn page)
    {
        using FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, [page]);
        rig.Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef target).ThrowIfError();
        migration.SetTarget(0, target);
        migration.SetWritten(0);
        migration.Move();
        return migration.Reasons[0];
    }

    [Test]
    public void Dispose_WithoutMove_UndoesEverything()
    {
        using var rig = new MigrationRig();
        VirtRange range = OnDevice(rig, 1, out Pfn[] frames);
        FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames);
        Give(rig, migration, 0);
        rig.Write(migration.Sources[0], migration.Targets[0].Page);
        migration.SetWritten(0);
        Assert.That(rig.Space.Tables.Read(range.Start).IsMigration, Is.True);
        migration.Dispose();
        migration.Dispose();
        Assert.That(rig.Space.Tables.Read(range.Start).IsDevicePrivate, Is.True);
        Assert.That(rig.Space.PageLocks.IsLocked(frames[0]), Is.False);
        Assert.That(() => migration.Move(), Throws.InvalidOperationException);
        rig.Machine.Validate();
    }

    [Test]
    public void SetTarget_OfWhatIsNotOfferedOrHasOneOrHasMoved_Throws()
    {
        using var rig = new MigrationRig();
        _ = OnDevice(rig, 1, out Pfn[] frames);
        using PageRef page = rig.TakeRam();
        using FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, [rig.Device.Memory.Ranges[0].Start, .. frames]);
        Assert.That(() => migration.SetTarget(0, page), Throws.InvalidOperationException.With.Message.Contains("page 0"));
        Give(rig, migration, 1);
        Assert.That(() => migration.SetTarget(1, page), Throws.InvalidOperationException);
        migration.Move();
        Assert.That(() => migration.SetTarget(1, page), Throws.InvalidOperationException);
        Assert.That(migration.Move, Throws.InvalidOperationException);
    }

    [Test]
    public void SetUp_OfAFolio_OffersItWholeOnlyWhereAllOfItStandsThere([Values(0, 1, 2)] int how)
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        Pfn[] frames = LargeOnDevice(rig, out VirtRange range);
        Pfn[] wanted = how switch { 0 => frames, 1 => frames[..511], _ => [.. frames.Reverse()] };
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, wanted))
        {
            Assert.That((migration.Sources[0].IsCompound, migration.Sources[1].HasPage), Is.EqualTo((how == 0, how != 0)));
        }

        _ = rig.Space.Tables.ReadLeaf(range.Start, out PageSize size);
        Assert.That(size == PageSize.Large, Is.EqualTo(how == 0), "as before, or broken up");
        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void SetUp_OfALockedFolio_PassesAllOfItOver()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        Pfn[] frames = LargeOnDevice(rig, out _);
        Assert.That(rig.Space.PageLocks.TryLock(frames[0]), Is.True);
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames))
        {
            Assert.That(migration.Reasons.ToArray(), Is.All.EqualTo(StayReason.Locked));
        }

        rig.Space.PageLocks.Unlock(frames[0]);
        Assert.That(rig.Device.UsedPages.Value, Is.EqualTo(512UL));
    }

    [Test]
    public void TryBreakUp_OfAFolio_OffersEachPage_OnceAndBeforeItHasADestination()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        Pfn[] frames = LargeOnDevice(rig, out VirtRange range);
        rig.Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef small).ThrowIfError();
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames))
        {
            Assert.That(() => migration.SetTarget(0, small), Throws.ArgumentException);
            Assert.That(migration.TryBreakUp(0), Is.EqualTo(Errno.Ok));
            Assert.That(() => migration.TryBreakUp(0), Throws.InvalidOperationException);
            Assert.That((migration.Sources[0].IsCompound, migration.Sources[511].Page), Is.EqualTo((false, frames[511])));
            migration.SetTarget(7, small);
            migration.Move();
            Assert.That((migration.Reasons[7], migration.Reasons[8]), Is.EqualTo((StayReason.NotWritten, StayReason.NoDestination)));
        }

        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void TryBreakUp_OfAFolioThatSomebodyHolds_IsRefused_AndItStaysWhole()
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        Pfn[] frames = LargeOnDevice(rig, out VirtRange range);
        using (FrameMigration migration = FrameMigration.SetUp(rig.Machine.Spaces, frames))
        {
            rig.Machine.Frames.TryGet(frames[0], out PageRef held).ThrowIfError();
            Assert.That(migration.TryBreakUp(0), Is.EqualTo(Errno.EAGAIN));
            Assert.That((migration.Sources[0].IsCompound, migration.Sources[0].Migrates), Is.EqualTo((true, true)));
            held.Dispose();
        }

        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));
    }

    [Test]
    public void SetUp_WithoutSpaces_Throws() =>
        Assert.That(() => FrameMigration.SetUp(null!, []), Throws.ArgumentNullException);

    private static VirtRange OnDevice(MigrationRig rig, int pages, out Pfn[] frames)
    {
        VirtRange range = rig.Base.MapFilled(pages);
        rig.Base.ToDevice(range);
        frames = [.. Enumerable.Range(0, pages).Select(page => rig.Base.FrameAt(Part(range, page).Start))];
        return range;
    }

    private static Pfn[] LargeOnDevice(MirrorRig rig, out VirtRange range)
    {
        range = rig.MapHuge();
        rig.Write(range, Words(512));
        rig.ToDevice(range);
        Pfn head = rig.FrameAt(range.Start);
        return [.. Enumerable.Range(0, 512).Select(page => new Pfn(head.Value + (ulong)page))];
    }

    private static void Give(MigrationRig rig, FrameMigration migration, int index) => migration.SetTarget(index, rig.TakeRam());
}
