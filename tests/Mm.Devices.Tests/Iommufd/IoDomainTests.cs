using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class IoDomainTests
{
    [Test]
    public void Device_BehindADomain_MovesTheUsersBytes()
    {
        using var rig = new IommufdRig(domains: 1);
        rig.MapAt(ApertureStart, IoPage, 4 * Page);
        var bytes = new byte[Page];

        rig.Domain.TryRead(new DmaAddr(ApertureStart), bytes).ThrowIfError();
        Assert.That((bytes[0], bytes[IoPage]), Is.EqualTo(((byte)1, (byte)2)));
        rig.Domain.TryWrite(new DmaAddr(ApertureStart + IoPage - 1), [0xaa, 0xbb]).ThrowIfError();
        rig.Buffer.TryRead(rig.User(Page - 1), bytes.AsSpan(0, 2)).ThrowIfError();
        Assert.That((bytes[0], bytes[1]), Is.EqualTo(((byte)0xaa, (byte)0xbb)));
    }

    [Test]
    public void Device_WhereItMayNot_Faults()
    {
        using var rig = new IommufdRig(domains: 1);
        rig.MapAt(ApertureStart, 0, Page, IoAccess.Read);
        rig.MapAt(ApertureStart + Page, Page, Page, IoAccess.Write);
        Span<byte> two = stackalloc byte[2];

        Assert.That(rig.Domain.TryWrite(new DmaAddr(ApertureStart), two), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Domain.TryRead(new DmaAddr(ApertureStart + Page - 1), two), Is.EqualTo(Errno.EFAULT));
        Assert.That(two[0], Is.EqualTo(1), "what lies before the fault is read");
        Assert.That(rig.Domain.TryRead(new DmaAddr(ApertureStart + (2 * Page)), two), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Domain.TryTranslate(new DmaAddr(ApertureStart + (2 * Page)), out _), Is.False);
    }

    [Test]
    public void Device_AfterUnmap_Faults()
    {
        using var rig = new IommufdRig(domains: 1);
        rig.MapAt(ApertureStart, 0, Page);
        rig.Unmap(ApertureStart, Page);

        Assert.That(rig.Domain.TryWrite(new DmaAddr(ApertureStart), [1]), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Domain.MappedCount, Is.Zero);
    }

    [Test]
    public void Unmap_ThatCutsAMapping_IsABug()
    {
        using var rig = new IommufdRig(domains: 1);
        var domain = new IoDomain(rig.Machine, new IoDomainOptions());
        domain.TryMap(new DmaAddr(ApertureStart), new PhysAddr(0x20_0000), new ByteCount(Page), IoAccess.Read).ThrowIfError();
        var half = new IoRange(new DmaAddr(ApertureStart), new DmaAddr(ApertureStart + IoPage - 1));

        Assert.That(() => domain.Unmap(half), Throws.TypeOf<MmBugException>().With.Message.Contains("invariant 3"));
        Assert.That(
            () => domain.Unmap(new IoRange(new DmaAddr(ApertureStart + Page), new DmaAddr(ApertureStart + (2 * Page) - 1))),
            Throws.TypeOf<MmBugException>().With.Message.Contains("invariant 2"));
        Assert.That(
            () => domain.TryMap(DmaAddr.Zero, new PhysAddr(0x20_0000), new ByteCount(Page), IoAccess.Read),
            Throws.TypeOf<MmBugException>().With.Message.Contains("invariant 1"));
    }

    [Test]
    public void Map_OffAnIoPage_IsRefused()
    {
        using var rig = new IommufdRig();
        var domain = new IoDomain(rig.Machine, new IoDomainOptions());

        Assert.That(
            domain.TryMap(new DmaAddr(ApertureStart + 512), PhysAddr.Zero, new ByteCount(Page), IoAccess.Read),
            Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Dirty_WhileNothingIsRecorded_IsNotTold()
    {
        using var rig = new IommufdRig(domains: 1, options: new IoDomainOptions { CanTrackDirty = true });
        rig.MapAt(ApertureStart, 0, 8 * IoPage);
        rig.Domain.TryWrite(new DmaAddr(ApertureStart), [1]).ThrowIfError();
        var bitmap = new byte[1];

        Assert.That(Read(rig, 0, 8, bitmap), Is.EqualTo(Errno.Ok));
        Assert.That(bitmap[0], Is.Zero);
        rig.Space.TrySetDirtyTracking(rig.Domain, isOn: true).ThrowIfError();
        rig.Domain.TryWrite(new DmaAddr(ApertureStart + (3 * IoPage) - 1), [1, 2]).ThrowIfError();
        Assert.That(Read(rig, 0, 8, bitmap), Is.EqualTo(Errno.Ok));
        Assert.That(bitmap[0], Is.EqualTo(0b1100), "a write over a border makes two pages dirty");
    }

    [Test]
    public void Dirty_BehindAHole_IsNotToldAndNotRefused()
    {
        using var rig = new IommufdRig(domains: 1, options: new IoDomainOptions { CanTrackDirty = true });
        rig.MapAt(ApertureStart, 0, Page);
        rig.MapAt(ApertureStart + (2 * Page), 0, Page);
        rig.Space.TrySetDirtyTracking(rig.Domain, isOn: true).ThrowIfError();
        rig.Domain.TryWrite(new DmaAddr(ApertureStart), [1]).ThrowIfError();
        rig.Domain.TryWrite(new DmaAddr(ApertureStart + (2 * Page)), [1]).ThrowIfError();
        var bitmap = new byte[1];

        Assert.That(Read(rig, 0, 6, bitmap), Is.EqualTo(Errno.Ok));
        Assert.That(bitmap[0], Is.EqualTo(0b1));
    }

    [TestCase(0UL, 0UL, 2048UL, "EINVAL")]
    [TestCase(1UL, 2048UL, 2048UL, "EINVAL")]
    [TestCase(0UL, 2047UL, 2048UL, "EINVAL")]
    [TestCase(0UL, 2048UL, 4096UL, "EINVAL")]
    [TestCase(0UL, 4096UL, 0UL, "EINVAL")]
    [TestCase(0UL, 12288UL, 3000UL, "EINVAL")]
    [TestCase(0UL, ulong.MaxValue, 2048UL, "EOVERFLOW")]
    public void Dirty_OfAnIllegalRange_IsRefused(ulong offset, ulong length, ulong page, string errno)
    {
        using var rig = new IommufdRig(domains: 1, options: new IoDomainOptions { CanTrackDirty = true });

        Errno found = rig.Space.TryReadDirty(
            rig.Domain, new DmaAddr(ApertureStart + offset), new ByteCount(length), new ByteCount(page), new byte[8]);

        Assert.That(found.ToString(), Is.EqualTo(errno));
    }

    [Test]
    public void Dirty_WithAShortBitmapOrAForeignDomain_Throws()
    {
        using var rig = new IommufdRig(domains: 1, options: new IoDomainOptions { CanTrackDirty = true });
        IoAddressSpace other = rig.CreateSpace();

        Assert.That(() => Read(rig, 0, 9, new byte[1]), Throws.ArgumentException);
        Assert.That(() => other.TrySetDirtyTracking(rig.Domain, isOn: true), Throws.ArgumentException);
    }

    private static Errno Read(IommufdRig rig, ulong first, ulong pages, byte[] bitmap) => rig.Space.TryReadDirty(
        rig.Domain, new DmaAddr(ApertureStart + (first * IoPage)), new ByteCount(pages * IoPage), new ByteCount(IoPage), bitmap);
}
