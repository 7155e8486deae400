using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <content>Those that migrate, take pages for the device alone, or pin.</content>
public sealed partial class DeviceMirrorSelftests
{
    [Test]
    public void Migrate()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(Pages));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(new PageCount(Pages)));
        Assert.That(rig.Space.CountResident(RssKind.Anonymous), Is.EqualTo(new PageCount(Pages)), "a device's pages are resident too");
    }

    [Test]
    public void MigrateFilePrivate()
    {
        using var rig = new MirrorRig(kind);
        using MemoryFile file = rig.MakeFile(Pages, first: 5);
        VirtRange range = rig.Map(Pages, AreaAccess.ReadWrite, AreaKind.FilePrivate, file);
        rig.Write(range, Words(Pages));
        Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(Pages));
    }

    [Test]
    public void MigrateFault()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        VirtRange half = Part(range, 0, Pages / 2);
        Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(Pages));

        AssertSame(rig.Read(half), Words(Pages / 2));
        Assert.That(Places(rig.Mirror, half), Is.All.EqualTo(rig.IsCoherent ? MirrorPlace.CoherentHere : MirrorPlace.System));

        Assert.That(ToDevice(rig.Mirror, range, out seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(Pages));
        Assert.That(Places(rig.Mirror, range), Is.All.EqualTo(rig.Here));
    }

    [Test]
    public void MigrateRelease()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(Pages));

        Assert.That(rig.Device.Evict(), Is.EqualTo(new PageCount(Pages)));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(Places(rig.Mirror, range), Is.All.EqualTo(MirrorPlace.System));
        AssertSame(rig.Read(range), Words(Pages));
    }

    [Test]
    public void MigrateShared()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(Pages, kind: AreaKind.AnonymousShared);
        Assert.That(ToDevice(rig.Mirror, range, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
    }

    [Test]
    public void MigrateMixed()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(6, AreaAccess.None);
        Assert.That(ToDevice(rig.Mirrors[1], range, out _), Is.EqualTo(Errno.EINVAL), "it may not be read");
        rig.Space.TryUnmap(Part(range, 1).Start, Part(range, 1).Length).ThrowIfError();
        Assert.That(ToDevice(rig.Mirrors[1], Part(range, 0, 3), out _), Is.EqualTo(Errno.EINVAL), "it has a hole");

        PreparePages(rig, range, writable: 2);
        rig.Write(Part(range, 5), [3, 0, 0, 0]);
        Assert.That(ToDevice(rig.Mirrors[1], Part(range, 2, 4), out byte[] seen), Is.EqualTo(Errno.Ok));
        Assert.That(new[] { seen[0], seen[PageBytes], seen[2 * PageBytes], seen[3 * PageBytes] }, Is.EqualTo(new byte[] { 0, 3, 3, 3 }));
        Assert.That(rig.Devices[1].UsedPages, Is.EqualTo(new PageCount(4)));

        Assert.That(ToDevice(rig.Mirrors[0], Part(range, 5), out _), Is.EqualTo(Errno.ENOENT), "it is another device's");
        Assert.That(rig.Devices[0].UsedPages, Is.EqualTo(PageCount.Zero));
    }

    [Test]
    public void MigrateMultiple()
    {
        using var rig = new MirrorRig(kind);
        for (int time = 0; time < Times; time++)
        {
            VirtRange range = rig.MapFilled(Pages, first: time);
            Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
            AssertSame(seen, Words(Pages, first: time));
            if (rig.IsCoherent)
            {
                Assert.That(rig.Mirror.TryMigrateToSystem(range, out PageCount moved), Is.EqualTo(Errno.Ok));
                Assert.That(moved, Is.EqualTo(new PageCount(Pages)));
            }

            AssertSame(rig.Read(range), Words(Pages, first: time));
            Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
            rig.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        }
    }

    [Test]
    public void Exclusive()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        byte[] seen = new byte[Pages * PageBytes];
        Assert.That(rig.Mirror.TryMakeExclusive(range), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.TryReadMapped(range, seen, out _), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(Pages));
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.EPERM));

        AssertSame(rig.Read(range), Words(Pages));
        rig.Write(range, Words(Pages, first: 1));
        AssertSame(rig.Read(range), Words(Pages, first: 1));
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void ExclusiveMprotect()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        Assert.That(rig.Mirror.TryMakeExclusive(range), Is.EqualTo(Errno.Ok));
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();

        Assert.That(rig.Mirror.TryWrite(range, Words(Pages, first: 1), out _), Is.EqualTo(Errno.EPERM));
        AssertSame(rig.Read(range), Words(Pages));
    }

    [Test]
    public void ExclusiveCow()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        Assert.That(rig.Mirror.TryMakeExclusive(range), Is.EqualTo(Errno.Ok));
        using AddressSpace child = rig.Fork();
        Assert.That(rig.Mirror.CheckExclusive(range), Is.EqualTo(Errno.Ok), "a fork takes the pages back");
        AssertSame(rig.Read(range), Words(Pages));
        AssertSame(Read(child, range), Words(Pages));

        Write(child, range, Words(Pages, first: 1));
        rig.Write(range, Words(Pages, first: 2));
        AssertSame(Read(child, range), Words(Pages, first: 1));
        AssertSame(rig.Read(range), Words(Pages, first: 2));
        rig.Machine.Validate();
    }

    [Test]
    public void HmmGupTest()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(4);
        Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(4));

        Get(rig, Part(range, 0));
        Pin(rig, Part(range, 1), PinFlags.Fast);
        Pin(rig, Part(range, 2), PinFlags.Fast | PinFlags.LongTerm);
        Pin(rig, Part(range, 3), PinFlags.LongTerm);

        MirrorPlace brief = rig.IsCoherent ? MirrorPlace.CoherentHere : MirrorPlace.System;
        MirrorPage[] pages = TakeSnapshot(rig.Mirror, range);
        Assert.That(pages.Select(page => page.Word.IsWritable), Is.All.True);
        Assert.That(pages.Select(page => page.Place), Is.EqualTo(new[] { brief, brief, MirrorPlace.System, MirrorPlace.System }));
        AssertSame(rig.Read(range), Words(4));
    }

    [Test]
    public void HmmCowInDevice()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(4);
        Assert.That(ToDevice(rig.Mirror, range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(4));
        using (AddressSpace child = rig.Fork())
        {
            rig.Write(range, Words(4, first: 1));
            AssertSame(Read(child, range), Words(4));
            rig.Machine.Validate();
        }

        MirrorPage[] pages = TakeSnapshot(rig.Mirror, range);
        Assert.That(pages.Select(page => (page.Word.IsWritable, page.Place)), Is.All.EqualTo((true, MirrorPlace.System)));
        AssertSame(rig.Read(range), Words(4, first: 1));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
    }

    private static void Get(MirrorRig rig, VirtRange range)
    {
        var pages = new PageRef[1];
        using SpaceLock.Held held = rig.Space.Lock.EnterRead();
        Assert.That(rig.Space.TryGetPages(range.Start, PinFlags.Write, pages, out int count), Is.EqualTo(Errno.Ok));
        Assert.That(count, Is.EqualTo(1));
        pages[0].Dispose();
    }

    private static void Pin(MirrorRig rig, VirtRange range, PinFlags flags)
    {
        var pins = new PagePin[1];
        Assert.That(rig.Space.TryPin(range.Start, flags | PinFlags.Write, pins, out int count), Is.EqualTo(Errno.Ok));
        Assert.That(count, Is.EqualTo(1));
        pins[0].Dispose();
    }
}
