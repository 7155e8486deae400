using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>The kernel's tests of HMM under their names, each on private and on coherent memory.</summary>
/// <remarks>
/// <b>Linux:</b> tools/testing/selftests/mm/hmm-tests.c (v6.12). Left out: AnonWriteHugetlbfs, as there is no hugetlb.
/// </remarks>
[TestFixture(MirrorMemoryKind.Private)]
[TestFixture(MirrorMemoryKind.Coherent)]
public sealed partial class DeviceMirrorSelftests(MirrorMemoryKind kind)
{
    private const int Pages = 256;
    private const int Times = 10;

    [Test]
    public void OpenClose()
    {
        using var rig = new MirrorRig(kind);
        foreach (MirrorDevice device in rig.Devices)
        {
            Assert.That(device.TryOpen(rig.Space, out DeviceMirror? mirror), Is.EqualTo(Errno.Ok));
            mirror!.Dispose();
            mirror.Dispose();
        }
    }

    [Test]
    public void AnonRead()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(Pages);
        byte[] bytes = Words(Pages);
        bytes.AsSpan(0, 2 * PageBytes).Clear();
        rig.Write(Part(range, 2, Pages - 2), bytes[(2 * PageBytes)..]);
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();

        // The first page stays a hole, the second becomes the page of zeros.
        Assert.That(rig.Read(Part(range, 1)), Is.All.Zero);
        AssertSame(DeviceRead(rig.Mirror, range, faults: 1), bytes);
    }

    [Test]
    public void AnonReadProt()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.None).ThrowIfError();
        byte[] seen = Words(Pages, first: -7);

        Assert.That(rig.Mirror.TryRead(range, seen, out MirrorTransfer done), Is.EqualTo(Errno.EFAULT));
        Assert.That(done.Pages, Is.EqualTo(PageCount.Zero));
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();
        AssertSame(rig.Read(range), Words(Pages));
        AssertSame(seen, Words(Pages, first: -7));
    }

    [Test]
    public void AnonWrite()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(Pages);
        DeviceWrite(rig.Mirror, range, Words(Pages), faults: 1);
        AssertSame(rig.Read(range), Words(Pages));
    }

    [Test]
    public void AnonWriteProt()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(Pages, AreaAccess.Read);
        Assert.That(DeviceRead(rig.Mirror, Part(range, 0), faults: 1), Is.All.Zero);

        Assert.That(rig.Mirror.TryWrite(range, Words(Pages), out _), Is.EqualTo(Errno.EPERM));
        AssertSame(rig.Read(range), new byte[Pages * PageBytes]);

        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.ReadWrite).ThrowIfError();
        DeviceWrite(rig.Mirror, range, Words(Pages), faults: 1);
        AssertSame(rig.Read(range), Words(Pages));
    }

    [Test]
    public void AnonWriteChild()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(Pages);
        using (AddressSpace child = rig.Fork())
        {
            AssertSame(Read(child, range), Words(Pages));
            using DeviceMirror mirror = Open(rig.Device, child);
            DeviceWrite(mirror, range, Words(Pages, first: -9), faults: 1);
            AssertSame(Read(child, range), Words(Pages, first: -9));
            rig.Machine.Validate();
        }

        AssertSame(rig.Read(range), Words(Pages));
    }

    [Test]
    public void AnonWriteChildShared()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(Pages, kind: AreaKind.AnonymousShared);
        rig.Write(range, Words(Pages));
        using (AddressSpace child = rig.Fork())
        {
            AssertSame(Read(child, range), Words(Pages));
            using DeviceMirror mirror = Open(rig.Device, child);
            DeviceWrite(mirror, range, Words(Pages, first: -9), faults: 1);
            AssertSame(Read(child, range), Words(Pages, first: -9));
            rig.Machine.Validate();
        }

        AssertSame(rig.Read(range), Words(Pages, first: -9));
    }

    [Test]
    public void AnonWriteHuge()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapHuge();
        DeviceWrite(rig.Mirror, range, Words(512), faults: 1);
        AssertSame(rig.Read(range), Words(512));
        Assert.That(TakeSnapshot(rig.Mirror, range).Select(page => page.Word.MapOrder), Is.All.EqualTo(9), "it is one page still");
    }

    [Test]
    public void FileRead()
    {
        using var rig = new MirrorRig(kind);
        using MemoryFile file = rig.MakeFile(Pages);
        VirtRange range = rig.Map(Pages, AreaAccess.Read, AreaKind.FileShared, file);
        AssertSame(DeviceRead(rig.Mirror, range, faults: 1), Words(Pages));
    }

    [Test]
    public void FileWrite()
    {
        using var rig = new MirrorRig(kind);
        using MemoryFile file = rig.MakeFile(Pages, first: 5);
        VirtRange range = rig.Map(Pages, AreaAccess.ReadWrite, AreaKind.FileShared, file);
        DeviceWrite(rig.Mirror, range, Words(Pages), faults: 1);

        AssertSame(rig.Read(range), Words(Pages));
        byte[] written = new byte[Pages * PageBytes];
        Assert.That(file.Read(ByteCount.Zero, written), Is.EqualTo(written.Length));
        AssertSame(written, Words(Pages));
    }

    [Test]
    public void AnonReadMultiple()
    {
        using var rig = new MirrorRig(kind);
        for (int time = 0; time < Times; time++)
        {
            VirtRange range = rig.MapFilled(Pages, first: time);
            AssertSame(DeviceRead(rig.Mirror, range, faults: 1), Words(Pages, first: time));
            rig.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        }
    }

    [Test]
    public void AnonTeardown()
    {
        using var rig = new MirrorRig(kind);
        for (int time = 0; time < Times; time++)
        {
            VirtRange range = rig.MapFilled(Pages, first: time);
            VirtRange half = Part(range, Pages / 2, Pages / 2);
            byte[] seen = new byte[Pages * PageBytes];
            using var begin = new Barrier(2);
            var unmapper = new Thread(() =>
            {
                begin.SignalAndWait();
                rig.Space.TryUnmap(half.Start, half.Length).ThrowIfError();
            });
            unmapper.Start();
            begin.SignalAndWait();
            Errno errno = rig.Mirror.TryRead(range, seen, out MirrorTransfer done);
            unmapper.Join();

            Assert.That(errno, Is.EqualTo(Errno.Ok).Or.EqualTo(Errno.EFAULT));
            int length = (int)done.Pages.ToBytes().Value;
            Assert.That(seen.AsSpan(0, length).SequenceEqual(Words(Pages, first: time).AsSpan(0, length)), "what was read is right");
            Assert.That(TakeSnapshot(rig.Mirror, half).Select(page => page.Word.IsError), Is.All.True);
            rig.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        }
    }

    [Test]
    public void Snapshot()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.Map(7, AreaAccess.None);
        rig.Space.TryUnmap(Part(range, 1).Start, Part(range, 1).Length).ThrowIfError();
        PreparePages(rig, range, writable: 3);
        Assert.That(ToDevice(rig.Mirrors[0], Part(range, 5), out _), Is.EqualTo(Errno.Ok));
        Assert.That(ToDevice(rig.Mirrors[1], Part(range, 6), out _), Is.EqualTo(Errno.Ok));

        MirrorPage[] seen = TakeSnapshot(rig.Mirror, range);
        Assert.That(seen.Select(page => page.Word.IsError), Is.EqualTo(new[] { true, true, false, false, false, false, false }));
        Assert.That(seen.Select(page => page.Word.IsWritable), Is.EqualTo(new[] { false, false, false, false, true, true, rig.IsCoherent }));
        Assert.That(seen.Select(page => page.Place), Is.EqualTo(new[]
        {
            MirrorPlace.Nowhere, MirrorPlace.Nowhere, MirrorPlace.ZeroPage, MirrorPlace.System, MirrorPlace.System, rig.Here,
            rig.IsCoherent ? MirrorPlace.CoherentElsewhere : MirrorPlace.Nowhere,
        }));
        Assert.That(seen[6].Word.IsValid, Is.EqualTo(rig.IsCoherent));
    }

    [Test]
    public void Compound()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        MirrorPage[] before = TakeSnapshot(rig.Mirror, range);
        Assert.That(before.Select(page => (page.Word.IsWritable, page.Word.MapOrder)), Is.All.EqualTo((true, 9)));

        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();
        MirrorPage[] after = TakeSnapshot(rig.Mirror, range);
        Assert.That(
            after.Select(page => (page.Word.IsValid, page.Word.IsWritable, page.Word.MapOrder)),
            Is.All.EqualTo((true, false, 9)));
    }

    [Test]
    public void DoubleMap()
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(6);
        rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();
        AssertSame(DeviceRead(rig.Mirrors[0], range, faults: 1), Words(6));
        AssertSame(DeviceRead(rig.Mirrors[1], range, faults: 1), Words(6));

        Assert.That(ToDevice(rig.Mirrors[1], range, out byte[] seen), Is.EqualTo(Errno.Ok));
        AssertSame(seen, Words(6));
        AssertSame(DeviceRead(rig.Mirrors[0], range, faults: 1), Words(6));
    }

    // Page 2: the page of zeros; 3: read-only; from 4 on: writable, all but those that are to be holes written with 3.
    private static void PreparePages(MirrorRig rig, VirtRange range, int writable)
    {
        byte[] three = [3, 0, 0, 0];
        rig.Space.TryProtect(Part(range, 2).Start, Part(range, 2).Length, AreaAccess.Read).ThrowIfError();
        Assert.That(rig.Read(Part(range, 2)), Is.All.Zero);
        rig.Space.TryProtect(Part(range, 3).Start, Part(range, 3).Length, AreaAccess.ReadWrite).ThrowIfError();
        rig.Write(Part(range, 3), three);
        rig.Space.TryProtect(Part(range, 3).Start, Part(range, 3).Length, AreaAccess.Read).ThrowIfError();
        VirtRange rest = Part(range, 4, writable);
        rig.Space.TryProtect(rest.Start, rest.Length, AreaAccess.ReadWrite).ThrowIfError();
        rig.Write(Part(range, 4), three);
    }
}
