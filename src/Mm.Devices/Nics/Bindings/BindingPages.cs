using System.Numerics;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Bindings;

/// <summary>The pages of a bound buffer: cut from its segments, handed out from the lowest up.</summary>
/// <remarks>
/// Owns which are free. A segment that is no multiple of a page loses its rest.
/// <para><b>Linux:</b> the gen_pool of a binding and its chunk owners (net/core/devmem.c, v6.12).</para>
/// <para><b>Invariants:</b> (1) a page is free or out, never twice.</para>
/// <para><b>Locking:</b> one lock, rank Leaf.</para>
/// </remarks>
internal sealed class BindingPages
{
    private const ulong PageBytes = 4096;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Dictionary<NetIov, int> numbers = [];
    private NetIov[] pages = []; // immutable once filled
    private ulong[] free = []; // a bit for each page, protected by gate
    private int firstFree; // a word before which no bit is set, protected by gate

    internal int Count => pages.Length;

    /// <summary>How many are free.</summary>
    internal int FreeCount
    {
        get
        {
            using (gate.Enter())
            {
                int count = 0;
                foreach (ulong word in free)
                {
                    count += BitOperations.PopCount(word);
                }

                return count;
            }
        }
    }

    /// <summary>Cuts the segments into pages.</summary>
    /// <returns>ENOMEM: no memory for the books of a segment.</returns>
    internal Errno TryFill(IMemoryProvider owner, ReadOnlySpan<DmaSegment> segments, FaultInjector faults)
    {
        var made = new List<NetIov>();
        ulong offset = 0;
        foreach (DmaSegment segment in segments)
        {
            // The segment's owner, and its array.
            if (faults.ShouldFail(FaultPoint.Slab) || faults.ShouldFail(FaultPoint.Slab))
            {
                return Errno.ENOMEM;
            }

            for (ulong at = 0; at + PageBytes <= segment.Length.Value; at += PageBytes)
            {
                DmaAddr address = segment.Address.AddChecked(new ByteCount(at));
                made.Add(new NetIov(owner, address, new ByteCount(PageBytes), new ByteCount(offset + at)));
            }

            offset += segment.Length.Value;
        }

        pages = [.. made];
        free = new ulong[(pages.Length + 63) / 64];
        for (int index = 0; index < pages.Length; index++)
        {
            numbers.Add(pages[index], index);
            free[index / 64] |= 1UL << (index % 64);
        }

        return Errno.Ok;
    }

    /// <summary>The memory has moved: finds each page's address anew, while nobody uses one.</summary>
    /// <returns>EINVAL: a page is in one segment no more.</returns>
    internal Errno TryMove(ReadOnlySpan<DmaSegment> segments)
    {
        var found = new DmaAddr[pages.Length];
        ulong offset = 0;
        int next = 0;
        foreach (DmaSegment segment in segments)
        {
            ulong end = offset + segment.Length.Value;
            while (next < pages.Length && pages[next].Offset.Value + PageBytes <= end)
            {
                if (pages[next].Offset.Value < offset)
                {
                    return Errno.EINVAL;
                }

                found[next] = segment.Address.AddChecked(new ByteCount(pages[next].Offset.Value - offset));
                next++;
            }

            offset = end;
        }

        if (next < pages.Length)
        {
            return Errno.EINVAL;
        }

        for (int index = 0; index < pages.Length; index++)
        {
            pages[index].Address = found[index];
        }

        return Errno.Ok;
    }

    /// <summary>Takes the lowest free page.</summary>
    internal bool TryTake(out NetIov? page)
    {
        using (gate.Enter())
        {
            for (; firstFree < free.Length; firstFree++)
            {
                if (free[firstFree] != 0)
                {
                    int bit = BitOperations.TrailingZeroCount(free[firstFree]);
                    free[firstFree] &= ~(1UL << bit);
                    page = pages[(firstFree * 64) + bit];
                    return true;
                }
            }
        }

        page = null;
        return false;
    }

    internal void Return(NetIov page)
    {
        int number = numbers[page];
        using (gate.Enter())
        {
            ref ulong word = ref free[number / 64];
            ulong bit = 1UL << (number % 64);
            Check.That((word & bit) == 0, $"binding pages invariant 1: page {number} came back twice");
            word |= bit;
            firstFree = Math.Min(firstFree, number / 64);
        }
    }
}
