using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Migration;

/// <content>Why pages stay: one for each reason.</content>
public sealed partial class AreaMigrationTests
{
    [Test]
    public void PageOfAHoleThatTheCpuFilled_IsFree_AndIsOnNoList()
    {
        using var rig = new MigrationRig();
        using AreaMigration migration = LoseAHole(rig, out Pfn page);
        migration.Dispose();
        PageInfo info = rig.Machine.Frames.Describe(page);
        Assert.That((info.State == PageState.InUse, info.References, info.Flags & PageFlags.Lru), Is.EqualTo((false, 0U, PageFlags.None)));
        rig.Machine.Validate();
    }

    // What the broken kernel leaves cannot be cleared away: its machine goes with the test.
    [Test]
    public void PageOfAHoleThatTheCpuFilled_WherePagesThatGoAreListed_IsCaught()
    {
        var rig = new MigrationRig();
        rig.Machine.Spaces.ListsPagesThatGo = true;
        AreaMigration migration = LoseAHole(rig, out _);
        Assert.That(migration.Dispose, Throws.InstanceOf<MmBugException>().With.Message.Contains("nobody's"), "museum 14 is caught");
    }

    // A page of RAM was to fill a hole, and the CPU was faster.
    private static AreaMigration LoseAHole(MigrationRig rig, out Pfn page)
    {
        VirtRange range = rig.Base.Map(1);
        AreaMigration migration = rig.SetUp(range);
        page = rig.GiveRam(migration, 0);
        migration.SetWritten(0);
        rig.Base.Write(range, Words(1, first: 3));
        migration.Move();
        Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.HoleFilled));
        return migration;
    }

    [Test]
    public void HoleOfAFile_IsNotOffered()
    {
        using var rig = new MigrationRig();
        using MemoryFile file = rig.Base.MakeFile(1);
        Assert.That(rig.Reasons(rig.Base.Map(1, kind: AreaKind.AnonymousShared)), Is.EqualTo(new[] { StayReason.HoleOfFile }));
        VirtRange ofFile = rig.Base.Map(1, AreaAccess.ReadWrite, AreaKind.FilePrivate, file);
        Assert.That(rig.Reasons(ofFile), Is.EqualTo(new[] { StayReason.HoleOfFile }));
    }

    [Test]
    public void PageOfAKindThatIsNotSelected_Stays([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = rig.Base.MapFilled(2);
        rig.Base.ToDevice(Part(range, 0));
        Assert.That(rig.Reasons(range), Is.EqualTo(new[] { StayReason.NotSelected, StayReason.None }));
        Assert.That(rig.Reasons(range, rig.DeviceMemory), Is.EqualTo(new[] { StayReason.None, StayReason.NotSelected }));
        Assert.That(rig.Reasons(range, MigrateSelect.System | rig.DeviceMemory), Is.All.EqualTo(StayReason.None));
    }

    [Test]
    public void PageOfZeros_IsOfSystemMemory()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.Map(1);
        Assert.That(rig.Base.Read(range), Is.All.Zero);
        Assert.That(rig.Reasons(range), Is.EqualTo(new[] { StayReason.None }));
        Assert.That(rig.Reasons(range, MigrateSelect.DevicePrivate), Is.EqualTo(new[] { StayReason.NotSelected }));
    }

    [Test]
    public void PageOfAnotherOwner_IsNeverSelected([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = rig.Base.MapFilled(1);
        rig.Base.ToDevice(range);
        using (AreaMigration other = rig.SetUp(range, rig.DeviceMemory | MigrateSelect.System, rig.Base.Devices[1]))
        {
            Assert.That(other.Reasons[0], Is.EqualTo(StayReason.NotSelected));
            Assert.That(other.Offered, Is.EqualTo(PageCount.Zero));
        }

        var nobodys = new MigrationRequest(range, rig.DeviceMemory, Owner: null);
        AreaMigration.TrySetUp(rig.Space, nobodys, out AreaMigration? migration).ThrowIfError();
        using (migration)
        {
            Assert.That(migration!.Offered, Is.EqualTo(PageCount.Zero));
        }
    }

    [Test]
    public void PageThatBelongsToNobody_IsNotNormal()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        Pfn page = rig.Base.FrameAt(range.Start);
        (ulong mapping, ulong index) = rig.Machine.Frames.BelongsTo(page);
        rig.Machine.Frames.SetBelongsTo(page, 0, 0);
        Assert.That(rig.Reasons(range), Is.EqualTo(new[] { StayReason.NotNormal }));
        rig.Machine.Frames.SetBelongsTo(page, mapping, index);
    }

    [Test]
    public void ExclusivePage_IsElsewhere()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        rig.Base.Mirror.TryMakeExclusive(range).ThrowIfError();
        Assert.That(rig.Reasons(range), Is.EqualTo(new[] { StayReason.Elsewhere }));
    }

    [Test]
    public void PartOfALargePageThatSomebodyHolds_Stays()
    {
        using var rig = new MigrationRig();
        VirtRange leaf = rig.Base.MapHuge();
        rig.Base.Write(Part(leaf, 0), Words(1));
        using PagePin pin = Pin(rig, Part(leaf, 3));
        Assert.That(rig.Reasons(Part(leaf, 2, 2)), Is.All.EqualTo(StayReason.PartOfLarge));
        Assert.That(rig.Base.Read(Part(leaf, 0)), Is.EqualTo(Words(1)));
    }

    [Test]
    public void LockedPage_Stays()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        Pfn page = rig.Base.FrameAt(range.Start);
        Assert.That(rig.Space.PageLocks.TryLock(page), Is.True);
        Assert.That(rig.Reasons(range), Is.EqualTo(new[] { StayReason.Locked }));
        rig.Space.PageLocks.Unlock(page);
    }

    [Test]
    public void PinnedPage_StaysAndItsEntryStands()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(2);
        using PagePin pin = Pin(rig, Part(range, 0));
        using (AreaMigration migration = rig.SetUp(range))
        {
            Assert.That(migration.Reasons.ToArray(), Is.EqualTo(new[] { StayReason.Pinned, StayReason.None }));
            Assert.That(migration.Sources[0], Is.EqualTo(default(MigratePfn)));
            Assert.That(migration.Offered, Is.EqualTo(PageCount.One));
            Assert.That(rig.Base.FrameAt(range.Start), Is.EqualTo(pin.Page));
            Assert.That(rig.Space.Tables.Read(range.Start).IsPresent, Is.True, "restored inside the set-up");
        }

        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(2)));
    }

    [Test]
    public void IsolatedPage_Stays()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        Pfn page = rig.Base.FrameAt(range.Start);
        Assert.That(rig.Machine.Spaces.Migration.TryIsolate(page), Is.True);
        using (AreaMigration migration = rig.SetUp(range))
        {
            Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.Isolated));
            Assert.That(migration.Offered, Is.EqualTo(PageCount.Zero));
            Assert.That(rig.Space.Tables.Read(range.Start).IsPresent, Is.True);
        }

        rig.Machine.Spaces.Migration.PutBack(page);
    }

    [Test]
    public void ReferencedPage_StaysWhereverTheReferenceComesFrom(
        [ValueSource(nameof(Kinds))] MirrorMemoryKind kind, [Values] bool isOnDevice)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = rig.Base.MapFilled(1);
        if (isOnDevice)
        {
            rig.Base.ToDevice(range);
        }

        rig.Machine.Frames.TryGet(rig.Base.FrameAt(range.Start), out PageRef held).ThrowIfError();
        using (AreaMigration migration = rig.SetUp(range, MigrateSelect.System | rig.DeviceMemory))
        {
            // A device's page is allowed one more: what its driver may hold. Linux: extra of migrate_vma_check_page.
            Assert.That(migration.Offered.Value, Is.EqualTo(isOnDevice ? 1 : 0));
            if (isOnDevice)
            {
                rig.GiveRam(migration, 0);
                rig.Copy(migration, 0);
                migration.Move();
            }

            Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.InUse));
        }

        held.Dispose();
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1)));
    }

    [Test]
    public void PageThatIsReferencedAfterSetUp_Stays()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        Pfn page = rig.Base.FrameAt(range.Start);
        PageRef held;
        using (AreaMigration migration = rig.SetUp(range))
        {
            rig.Machine.Frames.TryGet(page, out held).ThrowIfError();
            rig.GiveDevicePage(migration, 0);
            rig.Copy(migration, 0);
            migration.Move();
            Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.InUse));
            Assert.That(migration.Sources[0].Migrates, Is.False);
        }

        held.Dispose();
        Assert.That(rig.Base.FrameAt(range.Start), Is.EqualTo(page));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
    }

    [Test]
    public void PageWithoutADestination_Stays()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(2);
        rig.Space.TryDropPages(Part(range, 1).Start, Part(range, 1).Length).ThrowIfError();
        using (AreaMigration migration = rig.SetUp(range))
        {
            migration.Move();
            Assert.That(migration.Reasons.ToArray(), Is.All.EqualTo(StayReason.NoDestination), "a hole too");
        }

        Assert.That(rig.Base.Read(Part(range, 0)), Is.EqualTo(Words(1)));
    }

    [Test]
    public void PageWhoseDestinationIsNotWritten_Stays([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = rig.Base.MapFilled(2);
        rig.Space.TryDropPages(Part(range, 1).Start, Part(range, 1).Length).ThrowIfError();
        using (AreaMigration migration = rig.SetUp(range))
        {
            rig.GiveDevicePage(migration, 0);
            rig.GiveDevicePage(migration, 1);
            migration.Move();
            Assert.That(migration.Reasons.ToArray(), Is.All.EqualTo(StayReason.NotWritten), "a hole too");
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Base.Read(Part(range, 0)), Is.EqualTo(Words(1)));
        Assert.That(rig.Base.Read(Part(range, 1)), Is.All.Zero);
    }

    [Test]
    public void DestinationThatIsNotWritten_IsSeenByTheProcess_WhereMigrationsTrustDrivers()
    {
        using var rig = new MigrationRig();
        rig.Machine.Spaces.TrustsUnwrittenPages = true;
        VirtRange range = rig.Base.MapFilled(1);
        rig.Base.ToDevice(range);
        using (AreaMigration migration = rig.SetUp(range, MigrateSelect.DevicePrivate))
        {
            rig.GiveRam(migration, 0);
            migration.Move();
        }

        Assert.That(rig.Base.Read(range), Is.All.EqualTo(0xAA), "museum 12: stale bytes");
    }

    [Test]
    public void PageOfAFile_GoesToNoDevice()
    {
        using var rig = new MigrationRig();
        using MemoryFile file = rig.Base.MakeFile(1);
        VirtRange range = rig.Base.Map(1, AreaAccess.ReadWrite, AreaKind.FileShared, file);
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1)));
        using (AreaMigration migration = rig.SetUp(range))
        {
            rig.GiveDevicePage(migration, 0);
            rig.Copy(migration, 0);
            migration.Move();
            Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.OfFile));
        }

        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1)));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
    }

    [Test]
    public void PageOfAFile_ThatIsCutMeanwhile_IsFreedWithTheMigration()
    {
        using var rig = new MigrationRig();
        using MemoryFile file = rig.Base.MakeFile(1);
        VirtRange range = rig.Base.Map(1, AreaAccess.ReadWrite, AreaKind.FileShared, file);
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1)));
        AreaMigration migration = rig.SetUp(range);
        Pfn page = migration.Sources[0].Page;
        file.TryResize(ByteCount.Zero).ThrowIfError();
        migration.Dispose();
        Assert.That(rig.Machine.Frames.Describe(page).References, Is.Zero);
        rig.Machine.Validate();
    }

    private static PagePin Pin(MigrationRig rig, VirtRange range)
    {
        var pins = new PagePin[1];
        rig.Space.TryPin(range.Start, PinFlags.Write, pins, out _).ThrowIfError();
        return pins[0];
    }
}
