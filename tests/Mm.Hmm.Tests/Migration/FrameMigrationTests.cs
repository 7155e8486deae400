using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
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
    public void SetUp_WithoutSpaces_Throws() =>
        Assert.That(() => FrameMigration.SetUp(null!, []), Throws.ArgumentNullException);

    private static VirtRange OnDevice(MigrationRig rig, int pages, out Pfn[] frames)
    {
        VirtRange range = rig.Base.MapFilled(pages);
        rig.Base.ToDevice(range);
        frames = [.. Enumerable.Range(0, pages).Select(page => rig.Base.FrameAt(Part(range, page).Start))];
        return range;
    }

    private static void Give(MigrationRig rig, FrameMigration migration, int index) => migration.SetTarget(index, rig.TakeRam());
}
