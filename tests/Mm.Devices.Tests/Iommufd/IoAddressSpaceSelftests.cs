using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>
/// The tests of fixture iommufd_ioas (tools/testing/selftests/iommu/iommufd.c, v6.12), under their names, without a domain,
/// with one and with two. Left out: alloc_hwpt_nested and get_hw_info, which are of hardware; the variant with little
/// scratch memory, of which Mm has none.
/// </summary>
[TestFixture(0)]
[TestFixture(1)]
[TestFixture(2)]
internal sealed class IoAddressSpaceSelftests(int domains)
{
    private IommufdRig rig = null!;

    private ulong Base => domains > 0 ? ApertureStart : 0;

    [SetUp]
    public void SetUp() => rig = new IommufdRig(domains);

    [TearDown]
    public void TearDown() => rig.Dispose();

    [Test]
    public void ioas_auto_destroy() => Assert.That(rig.Context.SpaceCount, Is.EqualTo(1));

    [Test]
    public void ioas_destroy() =>
        Assert.That(rig.Space.TryDestroy(), Is.EqualTo(domains > 0 ? Errno.EBUSY : Errno.Ok));

    [Test]
    public void hwpt_attach()
    {
        Assert.That(rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? domain), Is.EqualTo(Errno.Ok));
        rig.Space.RemoveDomain(domain!);
    }

    [Test]
    public void ioas_area_destroy()
    {
        rig.MapAt(Base, 0, Page);
        Assert.That(rig.Space.TryDestroy(), Is.EqualTo(domains > 0 ? Errno.EBUSY : Errno.Ok));
    }

    [Test]
    public void ioas_area_auto_destroy()
    {
        for (ulong i = 0; i != 10; i++)
        {
            rig.MapAt(Base + (i * Page), 0, Page);
        }
    }

    [Test]
    public void area()
    {
        for (ulong i = 0; i != 10; i++)
        {
            Assert.That(rig.TryUnmap(i * Page, Page, out _), Is.EqualTo(Errno.ENOENT));
        }

        for (ulong i = 0; i != 10; i++)
        {
            rig.MapAt(Base + (i * Page), 0, Page);
        }

        for (ulong i = 0; i != 10; i++)
        {
            rig.Unmap(Base + (i * Page), Page);
        }

        rig.MapAt(Base + (16 * Page), 0, 2 * Page);
        Assert.That(rig.TryUnmap(Base + (16 * Page), Page, out _), Is.EqualTo(Errno.ENOENT), "split");
        Assert.That(rig.TryUnmap(Base + (17 * Page), Page, out _), Is.EqualTo(Errno.ENOENT), "split");
        foreach ((ulong first, ulong count) in ((ulong, ulong)[])[(16, 2), (16, 1), (17, 1), (15, 2), (15, 3)])
        {
            Assert.That(rig.TryMapAt(Base + (first * Page), 0, count * Page), Is.EqualTo(Errno.EEXIST), "mapped over");
        }

        Assert.That(rig.TryUnmap(0, ulong.MaxValue, out ulong unmapped), Is.EqualTo(Errno.Ok));
        Assert.That(unmapped, Is.EqualTo(2 * Page));
        Assert.That(rig.TryUnmap(0, ulong.MaxValue, out unmapped), Is.EqualTo(Errno.Ok));
        Assert.That(unmapped, Is.Zero);
    }

    [Test]
    public void unmap_fully_contained_areas()
    {
        ulong at = Base + (4 * Page);
        for (ulong i = 0; i != 4; i++)
        {
            rig.MapAt(at + (i * 16 * Page), 0, 8 * Page);
        }

        Assert.That(rig.TryUnmap(at - (4 * Page), 8 * Page, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(rig.TryUnmap(at + (52 * Page), 8 * Page, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(rig.TryUnmap(at - (4 * Page), 60 * Page, out ulong unmapped), Is.EqualTo(Errno.Ok));
        Assert.That(unmapped, Is.EqualTo(32 * Page));
    }

    [Test]
    public void area_auto_iova()
    {
        var chosen = new ulong[10];
        MapTen(chosen, _ => 1);
        UnmapTen(chosen, _ => 1);
        MapTen(chosen, i => i + 1);
        UnmapTen(chosen, i => i + 1);

        var reserved = new IoRange(new DmaAddr(4 * Page), new DmaAddr((104 * Page) - 1));
        Assert.That(rig.Space.TryReserve(reserved), Is.EqualTo(Errno.Ok));
        MapTen(chosen, i => i + 1);
        Assert.That(chosen, Has.None.Matches<ulong>(address => reserved.Contains(new DmaAddr(address))));
        UnmapTen(chosen, i => i + 1);

        var clash = new IoRange(new DmaAddr(Page), new DmaAddr(600 * Page));
        Assert.That(rig.Space.TryAllow(clash), Is.EqualTo(Errno.EADDRINUSE));
        ulong first = domains > 0 ? ApertureStart + Page : 200 * Page;
        var allowed = new IoRange(new DmaAddr(first), new DmaAddr(Base + (600 * Page) - 1));
        Assert.That(rig.Space.TryAllow(allowed), Is.EqualTo(Errno.Ok));
        MapTen(chosen, i => i + 1);
        for (ulong i = 0; i != 10; i++)
        {
            IoRange.TryCreate(new DmaAddr(chosen[i]), new ByteCount((i + 1) * Page), out IoRange range).ThrowIfError();
            Assert.That(allowed.Contains(range), Is.True);
        }

        UnmapTen(chosen, i => i + 1);
    }

    [Test]
    public void area_allowed()
    {
        var allowed = new IoRange(new DmaAddr(Base), new DmaAddr(Base + (600 * Page)));
        var reserved = new IoRange(new DmaAddr(Base + Page), new DmaAddr(Base + (2 * Page) - 1));
        Assert.That(rig.Space.TryAllow(allowed), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Space.TryReserve(reserved), Is.EqualTo(Errno.EADDRINUSE));
        Assert.That(rig.Space.TryAllow(), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Space.TryReserve(reserved), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Space.TryAllow(allowed), Is.EqualTo(Errno.EADDRINUSE));
    }

    [Test]
    public void copy_area()
    {
        rig.MapAt(Base, 0, Page);
        Assert.That(TryCopyAt(Base + Page, rig.Space, Base, Page), Is.EqualTo(Errno.Ok));
        IoAddressSpace other = rig.CreateSpace();
        Errno errno = other.TryCopyAt(DmaAddr.Zero, rig.Space, new DmaAddr(Base), new ByteCount(Page), IoAccess.Write);
        Assert.That(errno, Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void iova_ranges()
    {
        IoRange aperture = new IoDomainOptions().Aperture;
        Assert.That(rig.Space.Alignment.Value, Is.EqualTo(domains > 0 ? IoPage : 1));
        Assert.That(rig.Space.CollectUsableRanges(), Is.EqualTo((IoRange[])[domains > 0 ? aperture : IoRange.All]));
        Assert.That(rig.Space.TryReserve(new IoRange(new DmaAddr(Page), new DmaAddr((2 * Page) - 1))), Is.EqualTo(Errno.Ok));
        IoRange[] parts =
        [
            new(DmaAddr.Zero, new DmaAddr(Page - 1)), new(new DmaAddr(2 * Page), DmaAddr.MaxValue),
        ];
        Assert.That(rig.Space.CollectUsableRanges(), Is.EqualTo(domains > 0 ? [aperture] : parts));
    }

    [Test]
    public void access_domain_destory()
    {
        var keeper = new PinKeeper();
        UserBuffer huge = rig.CreateBuffer(0x20_0000_0000, 1024, order: 9);
        rig.Space.TryMapAt(new DmaAddr(Base), huge, huge.Range.Start, huge.Range.Length, IoAccess.ReadWrite).ThrowIfError();
        using (SpaceAccess access = rig.OpenAccess(keeper))
        {
            access.TryPin(new DmaAddr(Base + Page), new ByteCount(Page), isWrite: false, out AccessPin? pin).ThrowIfError();
            keeper.Keep(pin);
            if (domains > 0)
            {
                rig.Space.RemoveDomain(rig.Space.Domains[^1]);
            }

            rig.Context.Validate();
            keeper.Drop(pin!);
        }

        Assert.That(rig.TryUnmap(Base, huge.Range.Length.Value, out _), Is.EqualTo(Errno.Ok));
        rig.CheckPins(0, 1024, 0, huge);
        huge.Dispose();
    }

    [Test]
    public void access_pin()
    {
        var keeper = new PinKeeper();
        using SpaceAccess access = rig.OpenAccess(keeper);
        for (ulong pages = 1; pages < BufferBytes / Page; pages += pages < 20 ? 1UL : 37)
        {
            rig.MapAt(ApertureStart, 0, BufferBytes);
            Pin(access, keeper, pages).Dispose();

            AccessPin one = Pin(access, keeper, pages);
            AccessPin two = Pin(access, keeper, pages);
            rig.CheckPins(0, pages, 1);
            two.Dispose();
            one.Dispose();
            rig.CheckPins(0, pages, domains > 0 ? 1 : 0);

            AccessPin kept = Pin(access, keeper, pages);
            rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? domain).ThrowIfError();
            rig.CheckMap(domain!, ApertureStart, 0, BufferBytes);
            rig.CheckPins(0, BufferBytes / Page, 1);
            rig.Space.RemoveDomain(domain!);
            rig.CheckPins(0, pages, 1);
            kept.Dispose();
            rig.Unmap(ApertureStart, BufferBytes);
        }
    }

    [Test]
    public void access_pin_unmap()
    {
        var keeper = new PinKeeper();
        using SpaceAccess access = rig.OpenAccess(keeper);
        rig.MapAt(ApertureStart, 0, BufferBytes);
        _ = Pin(access, keeper, BufferBytes / Page);
        rig.Unmap(ApertureStart, BufferBytes);
        Assert.That((keeper.Count, access.PinCount), Is.EqualTo((0, 0)));
    }

    [Test]
    public void access_rw()
    {
        using SpaceAccess access = rig.OpenAccess();
        ulong at = rig.Map(0, BufferBytes);
        CheckReadsAndWrites(access, at, AccessPath.OfUser);
        CheckReadsAndWrites(access, at, AccessPath.OfPages);
        rig.Unmap(at, BufferBytes);
    }

    [Test]
    public void access_rw_unaligned()
    {
        using SpaceAccess access = rig.OpenAccess();
        ulong at = Base + IoPage;
        rig.MapAt(at, 0, BufferBytes);
        CheckReadsAndWrites(access, at, AccessPath.OfUser);
        rig.Unmap(at, BufferBytes);
    }

    // A process that ends is a buffer that is disposed: what was pinned lives on, what was not cannot be pinned any more.
    [Test]
    public void fork_gone()
    {
        UserBuffer child = rig.CreateBuffer(0x30_0000_0000, 16);
        rig.Space.TryMapAt(new DmaAddr(ApertureStart), child, child.Range.Start, child.Range.Length, IoAccess.ReadWrite).ThrowIfError();
        child.Dispose();
        Errno errno = rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? domain);
        Assert.That(errno, Is.EqualTo(domains > 0 ? Errno.Ok : Errno.EFAULT));
        if (domain is not null)
        {
            var bytes = new byte[2 * Page];
            domain.TryRead(new DmaAddr(ApertureStart), bytes).ThrowIfError();
            Assert.That((bytes[0], bytes[^1]), Is.EqualTo(((byte)1, (byte)2)));
            using SpaceAccess access = rig.OpenAccess();
            access.TryRead(new DmaAddr(ApertureStart), bytes, AccessPath.OfPages).ThrowIfError();
            Assert.That((bytes[0], bytes[^1]), Is.EqualTo(((byte)1, (byte)2)));
        }
    }

    [Test]
    public void fork_present()
    {
        using UserBuffer child = rig.CreateBuffer(0x30_0000_0000, 16);
        rig.Space.TryMapAt(new DmaAddr(ApertureStart), child, child.Range.Start, child.Range.Length, IoAccess.ReadWrite).ThrowIfError();
        rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? domain).ThrowIfError();
        rig.CheckMap(domain!, ApertureStart, 0, 16 * Page, child);
        rig.Unmap(ApertureStart, 16 * Page);
    }

    [Test]
    public void ioas_option_huge_pages()
    {
        Assert.That(rig.Space.HasLargePages, Is.True);
        Assert.That(rig.Space.TrySetLargePages(false), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Space.HasLargePages, rig.Space.Alignment), Is.EqualTo((false, new ByteCount(Page))));
        Assert.That(rig.Space.TrySetLargePages(true), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Space.HasLargePages, Is.True);
    }

    [Test]
    public void ioas_iova_alloc()
    {
        for (ulong length = 1; length != Page * 2; length++)
        {
            Errno errno = rig.TryMap(0, length, out ulong address);
            Assert.That(errno, Is.EqualTo(domains > 0 && length % IoPage != 0 ? Errno.EINVAL : Errno.Ok), $"{length}");
            if (errno.IsOk)
            {
                rig.Unmap(address, length);
            }
        }
    }

    [Test]
    public void ioas_align_change()
    {
        if (domains > 0)
        {
            rig.MapAt(ApertureStart, 0, Page);
            Assert.That(rig.Space.TrySetLargePages(false), Is.EqualTo(Errno.EINVAL));
            return;
        }

        rig.MapAt(ApertureStart, 0, Page);
        Assert.That(rig.Space.TrySetLargePages(false), Is.EqualTo(Errno.Ok));
        Assert.That(rig.TryMapAt(ApertureStart + Page, IoPage, Page), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Space.TrySetLargePages(false), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Space.TrySetLargePages(true), Is.EqualTo(Errno.Ok));
        rig.MapAt(ApertureStart + Page, IoPage, Page);
        Assert.That(rig.Space.TrySetLargePages(false), Is.EqualTo(Errno.EADDRINUSE));
        Assert.That(rig.Space.HasLargePages, Is.True);
        rig.Unmap(ApertureStart + Page, Page);
        rig.Unmap(ApertureStart, Page);
    }

    [Test]
    public void copy_sweep()
    {
        IoAddressSpace other = rig.CreateSpace();
        ulong last = ApertureStart + BufferBytes - (domains > 0 ? 1UL : 2);
        rig.MapAt(ApertureStart, 0, last - ApertureStart + 1);
        for (ulong at = ApertureStart - Page; at <= last; at += 511)
        {
            Errno errno = other.TryCopyAt(
                new DmaAddr(ApertureStart), rig.Space, new DmaAddr(at), new ByteCount(IoPage), IoAccess.Write);
            bool isInside = at >= ApertureStart && at + IoPage - 1 <= last;
            Assert.That(errno, Is.EqualTo(isInside ? Errno.Ok : Errno.ENOENT));
            if (isInside)
            {
                other.TryUnmap(new DmaAddr(ApertureStart), new ByteCount(IoPage), out _).ThrowIfError();
            }
        }

        Assert.That(other.TryDestroy(), Is.EqualTo(Errno.Ok));
    }

    private static AccessPin Pin(SpaceAccess access, PinKeeper keeper, ulong pages)
    {
        Errno errno = access.TryPin(new DmaAddr(ApertureStart), new ByteCount(pages * Page), isWrite: false, out AccessPin? pin);
        errno.ThrowIfError();
        return keeper.Keep(pin);
    }

    private Errno TryCopyAt(ulong address, IoAddressSpace source, ulong from, ulong length) =>
        rig.Space.TryCopyAt(new DmaAddr(address), source, new DmaAddr(from), new ByteCount(length), IoAccess.Write);

    private void MapTen(ulong[] chosen, Func<ulong, ulong> pages)
    {
        for (ulong i = 0; i != 10; i++)
        {
            chosen[i] = rig.Map(0, pages(i) * Page);
            ulong length = pages(i) * Page;
            Assert.That(chosen[i] % (length & (~length + 1)), Is.Zero, "on the largest power of two in its length");
        }
    }

    private void UnmapTen(ulong[] chosen, Func<ulong, ulong> pages)
    {
        for (ulong i = 0; i != 10; i++)
        {
            rig.Unmap(chosen[i], pages(i) * Page);
        }
    }

    private void CheckReadsAndWrites(SpaceAccess access, ulong at, AccessPath path)
    {
        MachineRandom random = rig.Machine.CreateRandom($"{path}");
        Span<byte> moved = stackalloc byte[64];
        Span<byte> seen = stackalloc byte[64];
        for (ulong offset = Page - 50; offset < Page + 50; offset += 3)
        {
            for (int length = 1; length < moved.Length; length += 5)
            {
                access.TryRead(new DmaAddr(at + offset), moved[..length], path).ThrowIfError();
                rig.Buffer.TryRead(rig.User(offset), seen[..length]).ThrowIfError();
                Assert.That(moved[..length].SequenceEqual(seen[..length]), Is.True);
                random.Fill(moved);
                access.TryWrite(new DmaAddr(at + offset), moved[..length], path).ThrowIfError();
                rig.Buffer.TryRead(rig.User(offset), seen[..length]).ThrowIfError();
                Assert.That(moved[..length].SequenceEqual(seen[..length]), Is.True);
            }
        }

        var all = new byte[BufferBytes];
        var expected = new byte[BufferBytes];
        access.TryRead(new DmaAddr(at), all, path).ThrowIfError();
        rig.Buffer.TryRead(rig.User(0), expected).ThrowIfError();
        Assert.That(all.AsSpan().SequenceEqual(expected), Is.True);
    }
}
