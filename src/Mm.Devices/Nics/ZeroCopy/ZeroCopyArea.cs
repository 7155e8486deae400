using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>A user's area in buffers of a page: which are free, and how often the user has each.</summary>
/// <remarks>
/// Owns the free list and the user's counts; each buffer has a count of the pool's beside.
/// <para><b>Linux:</b> struct io_zcrx_area (io_uring/zcrx.c, v6.15).</para>
/// <para><b>Invariants:</b> (1) a buffer is in the free list at most once; (2) a user gives back no more than he was given.</para>
/// <para><b>Locking:</b> a lock of rank Leaf for the free list; counts are atomic.</para>
/// </remarks>
internal sealed class ZeroCopyArea : IDisposable
{
    internal const ulong PageBytes = 4096;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly NetIov[] buffers; // immutable
    private readonly int[] users; // atomic
    private readonly int[] free; // a stack, protected by gate
    private readonly bool[] isFree; // protected by gate
    private int freeCount; // protected by gate

    internal ZeroCopyArea(IMemoryProvider owner, AreaMemory memory)
    {
        Memory = memory;
        int count = (int)(memory.Length.Value / PageBytes);
        buffers = new NetIov[count];
        users = new int[count];
        free = new int[count];
        isFree = new bool[count];
        for (int index = 0; index < count; index++)
        {
            buffers[index] = new NetIov(owner, default, new ByteCount(PageBytes), new ByteCount((ulong)index * PageBytes));
            free[index] = index;
            isFree[index] = true;
        }

        freeCount = count;
    }

    internal AreaMemory Memory { get; }

    internal int Count => buffers.Length;

    internal int FreeCount
    {
        get
        {
            using (gate.Enter())
            {
                return freeCount;
            }
        }
    }

    /// <summary>How many buffers the user has.</summary>
    internal int UserCount => users.Count(static count => count != 0);

    /// <summary>For tests that run every order of what happens.</summary>
    internal IYieldPoints? Points { get; set; }

    /// <summary>
    /// Whether a user's return first looks and then subtracts, as in Linux before "io_uring/zcrx: fix user_ref race between
    /// scrub and refill paths" (2026, 003049b1c4fb).
    /// </summary>
    internal bool LooksThenSubtracts { get; set; }

    internal NetIov this[int index] => buffers[index];

    internal static int IndexOf(NetIov buffer) => (int)(buffer.Offset.Value / PageBytes);

    /// <summary>Maps it for the card and tells the buffers their addresses.</summary>
    /// <returns>EFAULT: the mapping is not of whole pages; what mapping is refused with.</returns>
    internal Errno TryMap()
    {
        Errno errno = Memory.TryMap(out DmaSegment[] segments);
        int next = 0;
        foreach (DmaSegment segment in segments)
        {
            if (segment.Length.Value % PageBytes != 0)
            {
                Memory.Unmap();
                return Errno.EFAULT;
            }

            for (ulong at = 0; at < segment.Length.Value; at += PageBytes)
            {
                buffers[next++].Address = segment.Address.AddChecked(new ByteCount(at));
            }
        }

        return errno;
    }

    internal bool TryTake(out NetIov? buffer)
    {
        buffer = null;
        using (gate.Enter())
        {
            if (freeCount == 0)
            {
                return false;
            }

            int index = free[--freeCount];
            isFree[index] = false;
            buffer = buffers[index];
            return true;
        }
    }

    internal void Return(NetIov buffer)
    {
        int index = IndexOf(buffer);
        using (gate.Enter())
        {
            Check.That(!isFree[index], $"zero-copy area invariant 1: buffer {index} came back twice");
            isFree[index] = true;
            free[freeCount++] = index;
        }
    }

    internal void AddUser(int index) => Interlocked.Increment(ref users[index]);

    /// <summary>The user gives one back.</summary>
    /// <returns>Whether he had one.</returns>
    internal bool TryDropUser(int index)
    {
        ref int count = ref users[index];
        int seen = Volatile.Read(ref count);
        while (seen > 0)
        {
            Points?.Reach("user-count-seen");
            if (LooksThenSubtracts)
            {
                _ = Interlocked.Decrement(ref count);
                return true;
            }

            int before = Interlocked.CompareExchange(ref count, seen - 1, seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }

    /// <summary>Takes all from the user.</summary>
    /// <returns>How many he had.</returns>
    internal int TakeUsers(int index)
    {
        if (Volatile.Read(ref users[index]) == 0)
        {
            return 0;
        }

        Points?.Reach("user-count-not-zero");
        return Interlocked.Exchange(ref users[index], 0);
    }

    /// <summary>So many uses of a buffer end; the last one gives it back, to its pool or, where it was copied into, to the list.</summary>
    internal void Put(int index, int count)
    {
        NetIov buffer = buffers[index];
        if (buffer.Pool is { } pool)
        {
            pool.Put(buffer, ByteCount.MaxValue, count);
        }
        else if (buffer.Unreference(count) == 0)
        {
            Return(buffer);
        }
    }

    public void Dispose() => Memory.Dispose();
}
