using Mm.Core.Checks;
using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IoPageTableTests
{
    private static readonly ByteCount Large = PageSize.Large.Bytes;

    [Test]
    public void TryMap_AlignedTwoMiB_UsesOneLargeLeaf()
    {
        var pages = new IoPageTable();
        Map(pages, 0x4000_0000, 0x20_0000, Large.Value);
        Assert.That((pages.LargeLeaves, pages.SmallLeaves.Value), Is.EqualTo((1UL, 0UL)));
        Assert.That(pages.TryTranslate(new DmaAddr(0x401f_ffff), out PhysAddr target, out IoAccess access, out PageSize leaf));
        Assert.That((target.Value, access, leaf), Is.EqualTo((0x3f_ffffUL, IoAccess.ReadWrite, PageSize.Large)));
        pages.Validate();
    }

    [Test]
    public void TryMap_UnalignedEnds_UsesLargeLeavesBetweenSmallOnes()
    {
        var pages = new IoPageTable();
        Map(pages, 0x40_0000 - 0x1000, 0x80_0000 - 0x1000, Large.Value + 0x2000);
        Assert.That((pages.LargeLeaves, pages.SmallLeaves.Value), Is.EqualTo((1UL, 2UL)));
        pages.Validate();
    }

    [Test]
    public void TryMap_PhysicalMisaligned_UsesSmallLeavesOnly()
    {
        var pages = new IoPageTable();
        Map(pages, 0x40_0000, 0x1000, Large.Value);
        Assert.That((pages.LargeLeaves, pages.SmallLeaves.Value), Is.EqualTo((0UL, 512UL)));
        pages.Validate();
    }

    [Test]
    public void Unmap_LastLeaf_FreesEveryTableButTheRoot()
    {
        var pages = new IoPageTable();
        Map(pages, 0x1000, 0x1000, 0x1000);
        Map(pages, (1UL << 48) - 0x1000, 0x1000, 0x1000);
        Assert.That(pages.TableCount, Is.EqualTo(7));
        pages.Unmap(new DmaAddr(0x1000), new ByteCount(0x1000));
        pages.Unmap(new DmaAddr((1UL << 48) - 0x1000), new ByteCount(0x1000));
        Assert.That(pages.TableCount, Is.EqualTo(1));
        pages.Validate();
    }

    [Test]
    public void Unmap_PartOfALargeLeaf_IsABug()
    {
        var pages = new IoPageTable();
        Map(pages, 0x20_0000, 0x20_0000, Large.Value);
        Assert.That(() => pages.Unmap(new DmaAddr(0x20_0000), new ByteCount(0x1000)), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void TryMap_Twice_IsABug()
    {
        var pages = new IoPageTable();
        Map(pages, 0x1000, 0x1000, 0x1000);
        Assert.That(() => Map(pages, 0x1000, 0x2000, 0x1000), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void TryMap_NthTableRefused_IsENOMEMAndLeavesNothing([Range(1, 5)] int nth)
    {
        int calls = 0;
        var pages = new IoPageTable(() => ++calls == nth);
        Errno errno = pages.TryMap(new DmaAddr(0x40_0000 - 0x1000), new PhysAddr(0x3000), new ByteCount(0x2000), IoAccess.Read);
        Assert.That(errno, Is.EqualTo(nth <= 4 ? Errno.ENOMEM : Errno.Ok));
        Assert.That((pages.TableCount, pages.SmallLeaves.Value), Is.EqualTo(nth <= 4 ? (1, 0UL) : (5, 2UL)));
        pages.Validate();
    }

    [Test]
    public void TryTranslate_NothingThere_IsRefused([Values(0UL, 0x1000UL, 1UL << 48, ulong.MaxValue)] ulong address) =>
        Assert.That(new IoPageTable().TryTranslate(new DmaAddr(address), out _, out _, out _), Is.False);

    private static void Map(IoPageTable pages, ulong io, ulong phys, ulong length) =>
        pages.TryMap(new DmaAddr(io), new PhysAddr(phys), new ByteCount(length), IoAccess.ReadWrite).ThrowIfError();
}
