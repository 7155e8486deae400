using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Migration;

public sealed partial class AreaMigrationTests
{
    private static readonly MirrorMemoryKind[] Kinds = [MirrorMemoryKind.Private, MirrorMemoryKind.Coherent];

    [Test]
    public void Move_OfCopiedPages_BringsThemToTheDeviceAndBack([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = rig.Base.MapFilled(2);
        Pfn[] places = new Pfn[2];
        using (AreaMigration migration = rig.SetUp(range))
        {
            Assert.That((migration.Count, migration.Offered), Is.EqualTo((2, new PageCount(2))));
            Assert.That(migration.AddressOf(1), Is.EqualTo(Part(range, 1).Start));
            for (int index = 0; index < 2; index++)
            {
                places[index] = rig.GiveDevicePage(migration, index);
                rig.Copy(migration, index);
            }

            migration.Move();
            Assert.That(migration.Reasons.ToArray(), Is.All.EqualTo(StayReason.None));
            Assert.That(migration.Sources.ToArray().Select(source => source.Migrates), Is.All.True);
        }

        Assert.That(new[] { rig.Base.FrameAt(range.Start), rig.Base.FrameAt(Part(range, 1).Start) }, Is.EqualTo(places));
        rig.Machine.Validate();
        using (AreaMigration back = rig.SetUp(range, rig.DeviceMemory))
        {
            for (int index = 0; index < 2; index++)
            {
                rig.GiveRam(back, index);
                rig.Copy(back, index);
            }

            back.Move();
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(2)));
        Assert.That(rig.Space.CountResident(RssKind.Anonymous), Is.EqualTo(new PageCount(2)));
    }

    [Test]
    public void Holes_OfAnonymousMemory_AreOfferedWithoutAPage()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.Map(3);
        rig.Base.Write(Part(range, 1), Words(1));
        using AreaMigration migration = rig.SetUp(range);
        Assert.That(migration.Sources[0], Is.EqualTo(MigratePfn.Hole));
        Assert.That(migration.Sources[1].HasPage, Is.True);
        Assert.That(migration.Sources[2], Is.EqualTo(MigratePfn.Hole));
        Assert.That(migration.Offered, Is.EqualTo(new PageCount(3)));
        Assert.That(migration.IsAreaWritable, Is.True);
    }

    [Test]
    public void Hole_ThatIsFilled_IsTheDevicesPage([ValueSource(nameof(Kinds))] MirrorMemoryKind kind, [Values] bool isZeroPage)
    {
        using var rig = new MigrationRig(kind);
        VirtRange range = rig.Base.Map(1);
        if (isZeroPage)
        {
            Assert.That(rig.Base.Read(range), Is.All.Zero);
        }

        using (AreaMigration migration = rig.SetUp(range))
        {
            Assert.That(migration.Sources[0], Is.EqualTo(MigratePfn.Hole));
            rig.GiveDevicePage(migration, 0);
            rig.Copy(migration, 0);
            migration.Move();
            Assert.That(migration.Sources[0].Migrates, Is.True);
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.One));
        Assert.That(Places(rig.Base.Mirror, range), Is.All.EqualTo(rig.Base.Here));
        rig.Machine.Validate();
        Assert.That(rig.Base.Read(range), Is.All.Zero);
    }

    [Test]
    public void Hole_ThatTheCpuFillsFirst_StaysTheCpusAndTheDevicesPageIsFreedOnce()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.Map(2);
        using (AreaMigration migration = rig.SetUp(range))
        {
            rig.GiveDevicePage(migration, 0);
            rig.Copy(migration, 0);
            rig.GiveDevicePage(migration, 1);
            rig.Copy(migration, 1);
            rig.Base.Write(Part(range, 0), Words(1, first: 3));
            migration.Move();
            Assert.That(migration.Reasons.ToArray(), Is.EqualTo(new[] { StayReason.HoleFilled, StayReason.None }));
            Assert.That(migration.Sources[0].Migrates, Is.False, "the driver must notice");
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.One));
        Assert.That(rig.Base.Read(Part(range, 0)), Is.EqualTo(Words(1, first: 3)));
        Assert.That(Places(rig.Base.Mirror, range), Is.EqualTo(new[] { MirrorPlace.System, MirrorPlace.PrivateHere }));
    }

    [Test]
    public void Hole_WithoutMemoryForATable_StaysAHole()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.Map(1);
        using (AreaMigration migration = rig.SetUp(range))
        {
            rig.GiveDevicePage(migration, 0);
            rig.Copy(migration, 0);
            rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
            migration.Move();
            Assert.That(migration.Reasons[0], Is.EqualTo(StayReason.HoleFilled));
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Base.Read(range), Is.All.Zero);
    }

    [Test]
    public void Dispose_WithoutMove_UndoesEverything()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(2);
        Pfn[] before = [rig.Base.FrameAt(range.Start), rig.Base.FrameAt(Part(range, 1).Start)];
        AreaMigration migration = rig.SetUp(range);
        rig.GiveDevicePage(migration, 0);
        rig.Copy(migration, 0);
        Assert.That(rig.Space.Tables.Read(range.Start).IsMigration, Is.True);
        Assert.That(rig.Space.Lock.IsHeld, Is.True);
        migration.Dispose();
        migration.Dispose();

        Assert.That(rig.Space.Lock.IsHeld, Is.False);
        Assert.That(new[] { rig.Base.FrameAt(range.Start), rig.Base.FrameAt(Part(range, 1).Start) }, Is.EqualTo(before));
        Assert.That(before.Select(page => rig.Space.PageLocks.IsLocked(page)), Is.All.False);
        Assert.That(before.Select(page => rig.Machine.Frames.ReferencesOf(page)), Is.All.EqualTo(1u));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        rig.Machine.Validate();
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(2)));
    }

    [Test]
    public void Move_OfPagesOfTwoProcesses_FollowsInBoth()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        using AddressSpace child = rig.Base.Fork();
        using (AreaMigration migration = rig.SetUp(range))
        {
            Assert.That(child.Tables.Read(range.Start).IsMigration, Is.True);
            rig.GiveDevicePage(migration, 0);
            rig.Copy(migration, 0);
            migration.Move();
        }

        Assert.That(child.Tables.Read(range.Start).Frame, Is.EqualTo(rig.Base.FrameAt(range.Start)));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.One));
        rig.Machine.Validate();
        Assert.That(Read(child, range), Is.EqualTo(Words(1)));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero), "both have it back");
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1)));
    }

    [Test]
    public void LargePage_ThatNobodyHolds_IsBrokenUpAndOffered()
    {
        using var rig = new MigrationRig();
        VirtRange leaf = rig.Base.MapHuge();
        rig.Base.Write(leaf, Words(512));
        using (AreaMigration migration = rig.SetUp(Part(leaf, 100, 2)))
        {
            Assert.That(migration.Offered, Is.EqualTo(new PageCount(2)));
            rig.GiveDevicePage(migration, 1);
            rig.Copy(migration, 1);
            migration.Move();
        }

        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.One));
        AssertSame(rig.Base.Read(leaf), Words(512));
    }

    [Test]
    public void LargePageOfZeros_IsOfferedAsHoles()
    {
        using var rig = new MigrationRig();
        VirtRange leaf = rig.Base.MapHuge();
        AssertSame(rig.Base.Read(leaf), new byte[512 * PageBytes]);
        using AreaMigration migration = rig.SetUp(Part(leaf, 7, 2));
        Assert.That(migration.Sources.ToArray(), Is.All.EqualTo(MigratePfn.Hole));
    }

    [Test]
    public void TrySetUp_OfWhatCannotMigrate_IsEinval()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(2);
        VirtRange special = rig.Base.Map(1, kind: AreaKind.PfnMapped);
        Area area = rig.Space.Areas.Single(area => area.Range.Contains(range));
        var fault = new DevicePageFault(rig.Space, area, range.Start, rig.Base.FrameAt(range.Start));
        ByteCount page = PageSize.Small.Bytes;
        (string Case, VirtRange Range, DevicePageFault? Fault)[] cases =
        [
            ("no area", new VirtRange(new VirtAddr(0x1000), page), null),
            ("special", special, null),
            ("empty", new VirtRange(range.Start, ByteCount.Zero), null),
            ("an address inside a page", new VirtRange(range.Start.AddChecked(new ByteCount(8)), page), null),
            ("half a page", new VirtRange(range.Start, new ByteCount(100)), null),
            ("beyond the area", new VirtRange(area.Start, area.Range.Length.AddChecked(page)), null),
            ("a fault's page that is RAM", Part(range, 0), fault),
        ];
        foreach ((string name, VirtRange asked, DevicePageFault? serving) in cases)
        {
            var request = new MigrationRequest(asked, MigrateSelect.System, rig.Device) { Fault = serving };
            Assert.That(AreaMigration.TrySetUp(rig.Space, request, out AreaMigration? migration), Is.EqualTo(Errno.EINVAL), name);
            Assert.That(migration, Is.Null);
            Assert.That(rig.Space.Lock.IsHeld, Is.False, name);
        }

        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(2)));
    }

    [Test]
    public void TrySetUp_OfNull_Throws()
    {
        using var rig = new MigrationRig();
        var request = new MigrationRequest(rig.Base.Map(1), MigrateSelect.System, Owner: null);
        Assert.That(() => AreaMigration.TrySetUp(null!, request, out _), Throws.ArgumentNullException);
        Assert.That(AreaMigration.TrySetUp(rig.Space, default, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void SetTarget_OfWhatIsNotOffered_Throws()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(1);
        using PageRef page = rig.TakeRam();
        using AreaMigration migration = rig.SetUp(range, MigrateSelect.DevicePrivate);
        Assert.That(() => migration.SetTarget(0, page, isWritable: true), Throws.InvalidOperationException.With.Message.Contains("page 0"));
    }

    [Test]
    public void SetTarget_Twice_Throws()
    {
        using var rig = new MigrationRig();
        using AreaMigration migration = rig.SetUp(rig.Base.MapFilled(1));
        using PageRef page = rig.TakeRam();
        rig.GiveDevicePage(migration, 0);
        Assert.That(() => migration.SetTarget(0, page, isWritable: true), Throws.InvalidOperationException);
    }

    [Test]
    public void SetTarget_AfterMove_Throws()
    {
        using var rig = new MigrationRig();
        using AreaMigration migration = rig.SetUp(rig.Base.MapFilled(1));
        using PageRef page = rig.TakeRam();
        migration.Move();
        Assert.That(() => migration.SetTarget(0, page, isWritable: true), Throws.InvalidOperationException);
    }

    [Test]
    public void SetWritten_WithoutADestination_Throws()
    {
        using var rig = new MigrationRig();
        using AreaMigration migration = rig.SetUp(rig.Base.MapFilled(1));
        Assert.That(() => migration.SetWritten(0), Throws.InvalidOperationException.With.Message.Contains("page 0"));
    }

    [Test]
    public void Move_TwiceOrAfterTheEnd_Throws()
    {
        using var rig = new MigrationRig();
        AreaMigration migration = rig.SetUp(rig.Base.MapFilled(1));
        migration.Move();
        Assert.That(migration.Move, Throws.InvalidOperationException);
        migration.Dispose();
        AreaMigration another = rig.SetUp(rig.Base.MapFilled(1));
        another.Dispose();
        Assert.That(another.Move, Throws.InvalidOperationException);
    }
}
