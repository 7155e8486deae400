using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

public sealed class DeviceMirrorTests
{
    private static readonly VirtRange Nowhere = new(new VirtAddr(0x1000), PageSize.Small.Bytes);

    [Test]
    public void TryRead_OfWhatTheDeviceCannotHave_IsEfault()
    {
        using var rig = new MirrorRig();
        using MemoryFile file = rig.MakeFile(1);
        VirtRange beyond = Part(rig.Map(2, AreaAccess.ReadWrite, AreaKind.FileShared, file), 1);
        (string Case, VirtRange Range)[] cases =
        [
            ("no area", Nowhere),
            ("not readable", rig.Map(1, AreaAccess.None)),
            ("no pages", rig.Map(1, kind: AreaKind.PfnMapped)),
            ("beyond the file", beyond),
        ];
        foreach ((string name, VirtRange range) in cases)
        {
            Assert.That(rig.Mirror.TryRead(range, new byte[PageBytes], out MirrorTransfer done), Is.EqualTo(Errno.EFAULT), name);
            Assert.That(done, Is.EqualTo(new MirrorTransfer(PageCount.Zero, 0)), name);
        }
    }

    [Test]
    public void TryRead_UpToAHole_TellsHowFarItCame()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(3);
        Assert.That(DeviceRead(rig.Mirror, Part(range, 0), faults: 1), Is.EqualTo(Words(1)));
        rig.Space.TryUnmap(Part(range, 2).Start, Part(range, 2).Length).ThrowIfError();
        byte[] bytes = new byte[3 * PageBytes];
        Assert.That(rig.Mirror.TryRead(range, bytes, out MirrorTransfer done), Is.EqualTo(Errno.EFAULT));
        Assert.That(done, Is.EqualTo(new MirrorTransfer(PageCount.One, 0)));
        AssertSame(bytes.AsSpan(0, PageBytes), Words(1));
    }

    [Test]
    public void TryRead_WithoutMemoryForTheDevicesTable_IsEnomem()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.Mirror.TryRead(range, new byte[PageBytes], out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(DeviceRead(rig.Mirror, range, faults: 1), Is.EqualTo(Words(1)));
    }

    [Test]
    public void TryWrite_WhereTheAreaForbidsIt_IsEperm()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.Map(1, AreaAccess.Read);
        Assert.That(rig.Mirror.TryWrite(range, Words(1), out _), Is.EqualTo(Errno.EPERM));
        Assert.That(rig.Mirror.TryWrite(Nowhere, Words(1), out _), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void TryWrite_OfTheDevicesOwnPageThatProcessesShare_IsEfault()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        rig.ToDevice(range);
        using AddressSpace child = rig.Fork();
        Assert.That(rig.Mirror.TryWrite(range, Words(1, first: 5), out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(Read(child, range), Is.EqualTo(Words(1)));
        Assert.That(rig.Read(range), Is.EqualTo(Words(1)));
    }

    [Test]
    public void TryWrite_OfPagesThatAreMapped_NeedsNoFault()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.Map(2);
        DeviceWrite(rig.Mirror, range, Words(2), faults: 1);
        DeviceWrite(rig.Mirror, range, Words(2, first: 1), faults: 0);
        Assert.That(rig.Mirror.MappedPages, Is.EqualTo(new PageCount(2)));
        Assert.That(rig.Read(range), Is.EqualTo(Words(2, first: 1)));
    }

    [Test]
    public void TryMigrate_OverAHoleOrWhatCannotBeRead_IsEinvalAndWhatLiesBeforeItHasMoved()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(3);
        rig.Space.TryProtect(Part(range, 2).Start, Part(range, 2).Length, AreaAccess.None).ThrowIfError();
        Assert.That(rig.Mirror.TryMigrateToDevice(range, out PageCount moved), Is.EqualTo(Errno.EINVAL));
        Assert.That(moved, Is.EqualTo(new PageCount(2)));
        rig.Space.TryUnmap(Part(range, 2).Start, Part(range, 2).Length).ThrowIfError();
        Assert.That(rig.Mirror.TryMigrateToSystem(range, out moved), Is.EqualTo(Errno.EINVAL));
        Assert.That(moved, Is.EqualTo(new PageCount(2)));
        Assert.That(rig.Mirror.TryMigrateToDevice(rig.Map(1, kind: AreaKind.PfnMapped), out moved), Is.EqualTo(Errno.EINVAL));
        Assert.That(moved, Is.EqualTo(PageCount.Zero));
    }

    [Test]
    public void TryMigrate_OfPagesThatStay_TellsWhich()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(3);
        var pins = new PagePin[1];
        rig.Space.TryPin(Part(range, 1).Start, PinFlags.Write, pins, out _).ThrowIfError();
        var told = new List<(VirtAddr, StayReason)>();
        Errno errno = rig.Mirror.TryMigrateToDevice(range, out PageCount moved, (at, reason) => told.Add((at, reason)));
        Assert.That(errno, Is.EqualTo(Errno.Ok));
        Assert.That(moved, Is.EqualTo(new PageCount(2)));
        Assert.That(told, Is.EqualTo(new[] { (Part(range, 1).Start, StayReason.Pinned) }));
        pins[0].Dispose();
    }

    [Test]
    public void TryMigrateToDevice_OfMoreThanItHas_LeavesTheRest()
    {
        using var rig = new MirrorRig(deviceMiB: 2);
        VirtRange range = rig.MapFilled(600);
        int staying = 0;
        Errno errno = rig.Mirror.TryMigrateToDevice(
            range, out PageCount moved, (_, reason) => staying += reason == StayReason.NoDestination ? 1 : 0);
        Assert.That(errno, Is.EqualTo(Errno.Ok));
        Assert.That((moved.Value, staying), Is.EqualTo((512UL, 88)));
        AssertSame(rig.Read(range), Words(600));
    }

    [Test]
    public void TryMakeExclusive_OfWhatCannotBe_IsEbusy()
    {
        using var rig = new MirrorRig();
        using MemoryFile file = rig.MakeFile(1);
        VirtRange ofFile = rig.Map(1, AreaAccess.ReadWrite, AreaKind.FileShared, file);
        Assert.That(rig.Mirror.TryMakeExclusive(ofFile), Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.Mirror.TryMakeExclusive(rig.Map(1, AreaAccess.Read)), Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.Mirror.TryMakeExclusive(Nowhere), Is.EqualTo(Errno.EBUSY));
    }

    [Test]
    public void ExclusivePage_IsWrittenByAFaultThatTakesItBack()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        rig.Mirror.TryMakeExclusive(range).ThrowIfError();
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.EPERM));
        Assert.That(rig.Mirror.MappedPages, Is.EqualTo(PageCount.One));
        Assert.That(rig.Mirror.CheckExclusive(rig.Map(1)), Is.EqualTo(Errno.Ok));
        DeviceWrite(rig.Mirror, range, Words(1, first: 6));
        Assert.That(rig.Read(range), Is.EqualTo(Words(1, first: 6)));
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void TryReadMapped_UpToWhatIsNotMapped_IsEnoent()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(3);
        _ = DeviceRead(rig.Mirror, Part(range, 0, 2));
        byte[] bytes = new byte[3 * PageBytes];
        Assert.That(rig.Mirror.TryReadMapped(range, bytes, out PageCount pages), Is.EqualTo(Errno.ENOENT));
        Assert.That(pages, Is.EqualTo(new PageCount(2)));
        AssertSame(bytes.AsSpan(0, 2 * PageBytes), Words(2));
    }

    [TestCase(false, 2UL)]
    [TestCase(true, 1UL)]
    public void Invalidation_OfAPage_DropsItAndAsTheTestDeviceTheNext(bool dropsPageBehind, ulong left)
    {
        using var rig = new MirrorRig();
        rig.Device.DropsPageBehind = dropsPageBehind;
        VirtRange range = rig.MapFilled(3);
        _ = DeviceRead(rig.Mirror, range);
        rig.Space.TryDropPages(range.Start, PageSize.Small.Bytes).ThrowIfError();
        Assert.That(rig.Mirror.MappedPages, Is.EqualTo(new PageCount(left)));
        Assert.That(DeviceRead(rig.Mirror, Part(range, 2), faults: 0), Is.EqualTo(Words(3).AsSpan(2 * PageBytes).ToArray()));
        Assert.That(DeviceRead(rig.Mirror, range, faults: 1).AsSpan(0, PageBytes).ToArray(), Is.All.Zero);
    }

    [Test]
    public void Invalidation_ByTheDevicesOwnMigration_IsIgnored()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        _ = DeviceRead(rig.Mirrors[0], range);
        _ = DeviceRead(rig.Mirrors[1], range);
        rig.ToDevice(range);
        Assert.That(rig.Mirrors[0].MappedPages, Is.EqualTo(PageCount.One), "it maps what it moved itself");
        Assert.That(rig.Mirrors[1].MappedPages, Is.EqualTo(PageCount.Zero), "the other is told");
    }

    [Test]
    public void Invalidation_ThatMayNotBlock_IsTaken()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        _ = DeviceRead(rig.Mirror, range);
        var notice = new NotifierRange(range, NotifierEvent.Clear);
        Assert.That(rig.Space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation), Is.EqualTo(Errno.Ok));
        invalidation.Dispose();
        Assert.That(rig.Mirror.MappedPages, Is.EqualTo(PageCount.Zero));
    }

    [Test]
    public void Process_ThatHasEnded_IsSeenNoMore()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        rig.ToDevice(range);
        rig.Space.Dispose();
        byte[] bytes = new byte[PageBytes];
        Assert.That(rig.Mirror.MappedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Mirror.TryRead(range, bytes, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Mirror.TryWrite(range, bytes, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Mirror.TryMigrateToDevice(range, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Mirror.TryMigrateToSystem(range, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Mirror.TryMakeExclusive(range), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Mirror.TrySnapshot(range, new MirrorPage[1]), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.TryReadMapped(range, bytes, out _), Is.EqualTo(Errno.ENOENT));
    }

    [Test]
    public void Dispose_EvictsTheDevicesMemoryAndEndsTheMirror()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(2);
        rig.ToDevice(range);
        rig.Mirror.Dispose();
        rig.Mirror.Dispose();
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Space.Tables.Read(range.Start).IsPresent, Is.True);
        Assert.That(rig.Read(range), Is.EqualTo(Words(2)));
        Assert.That(() => rig.Mirror.TryRead(range, new byte[2 * PageBytes], out _), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => rig.Mirror.CheckExclusive(range), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => rig.Mirror.TryMigrateToDevice(range, out _), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => rig.Mirror.TrySnapshot(range, new MirrorPage[2]), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Range_ThatIsNotWholePagesOrDoesNotFitTheRoom_Throws()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        VirtRange half = new(range.Start, new ByteCount(100));
        VirtRange empty = new(range.Start, ByteCount.Zero);
        Assert.That(() => rig.Mirror.TryRead(half, new byte[100], out _), Throws.ArgumentException.With.Message.Contains("whole pages"));
        Assert.That(() => rig.Mirror.TryMigrateToDevice(empty, out _), Throws.ArgumentException);
        Assert.That(() => rig.Mirror.TryMakeExclusive(half), Throws.ArgumentException);
        Assert.That(() => rig.Mirror.CheckExclusive(half), Throws.ArgumentException);
        Assert.That(() => rig.Mirror.TryRead(range, new byte[1], out _), Throws.ArgumentException.With.Message.Contains("they are 1"));
        Assert.That(() => rig.Mirror.TryWrite(range, new byte[1], out _), Throws.ArgumentException);
        Assert.That(() => rig.Mirror.TryReadMapped(range, new byte[1], out _), Throws.ArgumentException);
        Assert.That(() => rig.Mirror.TrySnapshot(range, new MirrorPage[2]), Throws.ArgumentException);
    }
}
