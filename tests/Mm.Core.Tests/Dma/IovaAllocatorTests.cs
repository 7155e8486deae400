using Mm.Core.Checks;
using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IovaAllocatorTests
{
    private static readonly DmaAddr Limit32 = DmaMask.Bits32.Limit;
    private static readonly DmaAddr Limit48 = new((1UL << 48) - 1);

    [Test]
    public void TryAllocate_FirstRun_LiesAtTheTop() =>
        Assert.That(Take(new IovaAllocator(default), 1, Limit32).Start.Value, Is.EqualTo(0xffff_f000));

    [TestCase(1UL, 1UL)]
    [TestCase(3UL, 4UL)]
    [TestCase(17UL, 32UL)]
    [TestCase(31UL, 32UL)]
    [TestCase(32UL, 32UL)]
    [TestCase(33UL, 33UL)]
    [TestCase(100UL, 100UL)]
    public void TryAllocate_SmallSizes_AreRoundedUpToAPowerOfTwo(ulong size, ulong taken)
    {
        IovaRange range = Take(new IovaAllocator(default), size, Limit32);
        Assert.That(range.Pages.Value, Is.EqualTo(taken));
        Assert.That(range.Start.Value % (System.Numerics.BitOperations.RoundUpToPowerOf2(size) << 12), Is.Zero);
    }

    [Test]
    public void TryAllocate_AlignmentLeavesAHole_SmallerRunStartsBelowTheLastOne()
    {
        // Linux searches from the lowest run of late, not from the top: the hole above stays for the second try.
        var iovas = new IovaAllocator(default);
        IovaRange first = Take(iovas, 1, Limit32);
        IovaRange large = Take(iovas, 64, Limit32);
        IovaRange next = Take(iovas, 1, Limit32);
        Assert.That(large.Start.Value, Is.EqualTo(0xfff8_0000), "64 pages on their own size, below the first page");
        Assert.That(next.Start.Value, Is.EqualTo(large.Start.Value - 0x1000));
        Assert.That(first.Start, Is.GreaterThan(large.Start));
        iovas.Validate();
    }

    [Test]
    public void TryAllocate_NothingBelow_TriesAgainFromTheTop()
    {
        var iovas = new IovaAllocator(new DmaAddr(0xfff0_0000)); // 256 pages
        _ = Take(iovas, 1, Limit32);
        _ = Take(iovas, 128, Limit32);
        _ = Take(iovas, 64, Limit32); // in the hole above the 128
        Assert.That(iovas.TryAllocate(new PageCount(64), Limit32, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(Take(iovas, 32, Limit32).Start.Value, Is.EqualTo(0xfffc_0000));
        iovas.Validate();
    }

    [Test]
    public void TryAllocate_SpaceFull_IsENOMEM()
    {
        var iovas = new IovaAllocator(new DmaAddr(0xffff_e000));
        _ = Take(iovas, 2, Limit32);
        Assert.That(iovas.TryAllocate(PageCount.One, Limit32, out IovaRange none), Is.EqualTo(Errno.ENOMEM));
        Assert.That(none.IsNone, Is.True);
    }

    [Test]
    public void TryAllocate_LimitBelowFirstPage_IsENOMEM() =>
        Assert.That(
            new IovaAllocator(new DmaAddr(1UL << 32)).TryAllocate(PageCount.One, Limit32, out _),
            Is.EqualTo(Errno.ENOMEM));

    [Test]
    public void TryAllocate_NarrowMaskRefused_DoesNotSpoilThirtyTwoBits()
    {
        // Linux would remember the refusal for every search below 4 GiB: a deliberate difference.
        var iovas = new IovaAllocator(default);
        var limit16 = new DmaAddr(0xffff);
        Assert.That(iovas.TryAllocate(new PageCount(16), limit16, out _), Is.EqualTo(Errno.ENOMEM), "page 0 is never taken");
        Assert.That(iovas.TryAllocate(new PageCount(16), Limit32, out _), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Free_RunBelowFourGiB_MakesRefusedSizesPossibleAgain()
    {
        var iovas = new IovaAllocator(new DmaAddr(0xffff_0000));
        IovaRange half = Take(iovas, 8, Limit32);
        _ = Take(iovas, 8, Limit32);
        Assert.That(iovas.TryAllocate(PageCount.One, Limit32, out _), Is.EqualTo(Errno.ENOMEM));
        iovas.Free(half);
        Assert.That(Take(iovas, 8, Limit32).Start, Is.EqualTo(half.Start));
    }

    [Test]
    public void Free_Twice_IsABug()
    {
        var iovas = new IovaAllocator(default);
        IovaRange range = Take(iovas, 1, Limit32);
        iovas.Free(range);
        Assert.That(() => iovas.Free(range), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Reserve_OverlappingSpans_AreNeverHandedOut()
    {
        var iovas = new IovaAllocator(default);
        iovas.Reserve(new DmaAddr(0xfee0_0000), ByteCount.FromMiB(1));
        iovas.Reserve(new DmaAddr(0xfe00_0800), ByteCount.FromMiB(18));
        iovas.Reserve(new DmaAddr(0xfe00_0800), ByteCount.FromMiB(18));
        iovas.Validate();
        Assert.That(iovas.UsedPages.Value, Is.EqualTo((18UL << 8) + 1));
        IovaRange above = Take(iovas, 0x1000, Limit32);
        Assert.That(above.Start.Value + above.Pages.ToBytes().Value, Is.LessThanOrEqualTo(0xfe00_0000));
    }

    [Test]
    public void Reserve_TopOfSpace_Holds()
    {
        var iovas = new IovaAllocator(default);
        iovas.Reserve(new DmaAddr(ulong.MaxValue - 0xfff), new ByteCount(0x1000));
        iovas.Reserve(default, ByteCount.Zero);
        iovas.Validate();
        Assert.That(iovas.RunCount, Is.EqualTo(1));
    }

    [Test]
    public void TryAllocate_Above32Bits_StartsAtTheLimit() =>
        Assert.That(Take(new IovaAllocator(default), 512, Limit48).Start.Value, Is.EqualTo((1UL << 48) - (2UL << 20)));

    private static IovaRange Take(IovaAllocator iovas, ulong pages, DmaAddr limit)
    {
        iovas.TryAllocate(new PageCount(pages), limit, out IovaRange range).ThrowIfError();
        return range;
    }
}
