using System.Numerics;
using Mm.Core;
using Mm.Devices.Gpus.Svm;

namespace Mm.Devices.Tests.Gpus.Svm;

/// <summary>X1: the chunk is the largest power of two around the address that lies in the area, the block and the window.</summary>
internal sealed class SvmChunksProperties
{
    [FsCheck.NUnit.Property(MaxTest = 500)]
    public bool Choice_IsTheLargestChunkThatFitsEverywhere(ushort at, ushort low, ushort high, ushort blockPages)
    {
        ulong first = Math.Min((ulong)Math.Min(low, high), at);
        ulong end = Math.Max(Math.Max(low, high), at) + 1UL;
        VirtRange area = Pages(first, end - first);
        ulong block = BitOperations.RoundUpToPowerOf2((uint)(blockPages % 4096) + 1);
        VirtRange bounds = Pages(at & ~(block - 1), block);
        ByteCount[] lengths = [.. Enumerable.Range(0, 14).Select(order => new PageCount(1UL << (13 - order)).ToBytes())];
        bool isFound = new SvmChunks(lengths).TryChoose(Pages(at, 1).Start, [area, bounds], static _ => true, out VirtRange chosen);

        ulong best = 0;
        for (ulong pages = 1; pages <= 8192; pages *= 2)
        {
            VirtRange candidate = Pages(at & ~(pages - 1), pages);
            best = area.Contains(candidate) && bounds.Contains(candidate) ? pages : best;
        }

        return isFound && chosen == Pages(at & ~(best - 1), best);
    }

    [Test]
    public void Choice_AroundAnotherRange_IsSmaller()
    {
        VirtRange all = Pages(0, 16);
        var chunks = new SvmChunks([new PageCount(16).ToBytes(), new PageCount(4).ToBytes(), new PageCount(1).ToBytes()]);
        Assert.That(chunks.TryChoose(Pages(5, 1).Start, [all], wanted => !wanted.Overlaps(Pages(9, 1)), out VirtRange chosen), Is.True);
        Assert.That(chosen, Is.EqualTo(Pages(4, 4)));
        Assert.That(chunks.TryChoose(Pages(9, 1).Start, [all], wanted => !wanted.Overlaps(Pages(9, 1)), out _), Is.False);
    }

    private static VirtRange Pages(ulong first, ulong count) => new(new VirtAddr(first * 4096), new ByteCount(count * 4096));
}
