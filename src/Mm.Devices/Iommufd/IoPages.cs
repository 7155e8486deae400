using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Devices.Iommufd;

/// <summary>The pages behind one map call, shared by every area that was made or copied from it: pinned once, whoever needs them.</summary>
/// <remarks>
/// Owns the pins. A page has as many holders as there are filled areas and different accesses over it; it is pinned
/// exactly while it has one. Releasing never fails and takes no memory.
/// <para><b>Linux:</b> struct iopt_pages (drivers/iommu/iommufd/pages.c, v6.12). Deliberate difference: Linux counts
/// intervals and keeps the frames in whichever of a domain, an xarray and the user's page table has them, to save memory;
/// here each page has a counter and its pin, made when it is first held.</para>
/// <para><b>Invariants:</b> (1) a page is pinned if and only if it has a holder; (2) its holders are the filled areas and the
/// accesses that cover it; (3) the account is charged for the pages that are pinned.</para>
/// <para><b>Locking:</b> one lock, rank IoSpacePages; who calls a member holds it, unless the member says otherwise.</para>
/// </remarks>
internal sealed partial class IoPages
{
    private const ulong PageBytes = 4096;
    private const int ChunkPages = 512;
    private const int BatchPages = 512;

    private readonly IommufdContext context;
    private readonly Chunk?[] chunks; // made when first held
    private readonly List<AccessRecord> accesses = [];
    private ulong pinnedCount;
    private int references; // areas and copies on their way; atomic

    private IoPages(IommufdContext context, IUserPages user, VirtAddr start, PageCount size, bool isWritable)
    {
        this.context = context;
        User = user;
        Start = start;
        Size = size;
        IsWritable = isWritable;
        chunks = new Chunk?[(size.Value + ChunkPages - 1) / ChunkPages];
        references = 1;
        context.CountPages(1);
    }

    public RankedLock Gate { get; } = new(LockRank.IoSpacePages);

    public IUserPages User { get; }

    /// <summary>The user's address of the first page.</summary>
    public VirtAddr Start { get; }

    public PageCount Size { get; }

    /// <summary>Whether devices may be allowed to write.</summary>
    public bool IsWritable { get; }

    public ulong PinnedCount => pinnedCount;

    /// <summary>Describes a user's memory; pins nothing. Needs no lock.</summary>
    /// <returns>
    /// EINVAL: the length is zero or within a page of 2^64. EOVERFLOW: the memory passes the top of the address space.
    /// ENOMEM: a failure was planned.
    /// </returns>
    public static Errno TryCreate(
        IommufdContext context, IUserPages user, VirtAddr start, ByteCount length, bool isWritable, out IoPages? pages)
    {
        pages = null;
        if (length.IsZero || length.Value > ulong.MaxValue - PageBytes)
        {
            return Errno.EINVAL;
        }

        if (length.Value > ulong.MaxValue - start.Value && !context.AllowsUserWrap)
        {
            return Errno.EOVERFLOW;
        }

        ulong bytes = length.Value + start.OffsetIn(PageSize.Small).Value;
        if (bytes / PageBytes > int.MaxValue || context.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM; // a table of chunks for more is beyond the host, as a pages object is beyond slab
        }

        pages = new IoPages(
            context, user, start.AlignDown(PageSize.Small), new ByteCount(bytes).ToPagesRoundUp(), isWritable);
        return Errno.Ok;
    }

    /// <summary>Shares the pages. Needs no lock.</summary>
    public void AddReference() => Interlocked.Increment(ref references);

    /// <summary>Lets the pages go. Needs no lock.</summary>
    public void Release()
    {
        int left = Interlocked.Decrement(ref references);
        Check.That(left >= 0, "io pages were released twice");
        if (left == 0)
        {
            Check.That(pinnedCount == 0 && accesses.Count == 0, $"io pages die with {pinnedCount} pins, {accesses.Count} accesses");
            context.CountPages(-1);
        }
    }

    /// <summary>Holds pages: those that nobody holds yet are pinned. All or nothing.</summary>
    /// <returns>EFAULT, ENOMEM: as the user's pages say. ENOMEM: the account's limit, or a planned failure.</returns>
    /// <param name="first">The first page.</param>
    /// <param name="last">The last page.</param>
    /// <param name="isCharged">Whether the account pays for them; a hold that ends at once is free.</param>
    public Errno TryHold(ulong first, ulong last, bool isCharged = true)
    {
        if (context.Faults.ShouldFail(FaultPoint.Slab) || context.Faults.ShouldFail(IommufdContext.Fault))
        {
            return Errno.ENOMEM;
        }

        var batch = new UserPin[Math.Min(last - first + 1, BatchPages)];
        ulong before = pinnedCount;
        ulong done = first;
        Errno errno = Errno.Ok;
        while (errno.IsOk && done <= last)
        {
            errno = TryPinRun(batch, ref done, last);
        }

        if (errno.IsOk && isCharged)
        {
            errno = context.TryCharge(new PageCount(pinnedCount - before));
        }

        if (!errno.IsOk)
        {
            Unpin(first, done);
            return errno;
        }

        for (ulong index = first; index <= last; index++)
        {
            ref PageSlot slot = ref SlotOf(index);
            slot.Holders++;
        }

        return Errno.Ok;
    }

    /// <summary>Ends a hold: pages that nobody holds any more are unpinned.</summary>
    public void Unhold(ulong first, ulong last, bool isCharged = true)
    {
        ulong before = pinnedCount;
        for (ulong index = first; index <= last; index++)
        {
            ref PageSlot slot = ref SlotOf(index);
            Check.That(slot.Holders > 0, $"io pages invariant 2: page {index} has no holder");
            slot.Holders--;
        }

        Unpin(first, last + 1);
        if (isCharged)
        {
            context.Uncharge(new PageCount(before - pinnedCount));
        }
    }

    /// <summary>The frame of a page that is held.</summary>
    public Pfn FrameOf(ulong index) => SlotOf(index).Pin.Page;

    /// <summary>Adds an access, or a user to the one that is exactly alike.</summary>
    /// <returns>EPERM: it writes, and the pages are not writable. Else as <see cref="TryHold"/>.</returns>
    public Errno TryAddAccess(ulong first, ulong last, bool isWrite, Span<Pfn> frames)
    {
        if (isWrite && !IsWritable)
        {
            return Errno.EPERM;
        }

        using (Gate.Enter())
        {
            if (FindAccess(first, last) is { } same)
            {
                same.Users++;
            }
            else
            {
                Errno errno = context.Faults.ShouldFail(FaultPoint.Slab) ? Errno.ENOMEM : TryHold(first, last);
                if (!errno.IsOk)
                {
                    return errno;
                }

                accesses.Add(new AccessRecord(first, last) { Users = 1 });
            }

            for (ulong index = first; index <= last; index++)
            {
                frames[(int)(index - first)] = FrameOf(index);
            }
        }

        return Errno.Ok;
    }

    /// <summary>Takes an access's user away, and the access with its last one.</summary>
    public void RemoveAccess(ulong first, ulong last)
    {
        using (Gate.Enter())
        {
            AccessRecord? found = FindAccess(first, last);
            Check.That(found is not null, $"io pages: no access to pages {first} to {last}");
            if (--found.Users == 0)
            {
                _ = accesses.Remove(found);
                Unhold(first, last);
            }
        }
    }

    /// <summary>How many users accesses to a page have, summed.</summary>
    public int AccessUsers => accesses.Sum(access => access.Users);

    private AccessRecord? FindAccess(ulong first, ulong last) =>
        accesses.Find(access => access.First == first && access.Last == last);

    // Pins the pages from one on that nobody holds, or passes over one that somebody does.
    private Errno TryPinRun(UserPin[] batch, ref ulong index, ulong last)
    {
        if (SlotOf(index).Holders > 0)
        {
            index++;
            return Errno.Ok;
        }

        ulong most = Math.Min(last - index + 1, (ulong)batch.Length);
        int count = 0;
        while ((ulong)count < most && SlotOf(index + (ulong)count).Holders == 0)
        {
            count++;
        }

        if (context.Faults.ShouldFail(IommufdContext.Fault))
        {
            return Errno.EFAULT;
        }

        // A user's address may wrap only where the fault of the past is put back in.
        var at = new VirtAddr(unchecked(Start.Value + (index * PageBytes)));
        Span<UserPin> pins = batch.AsSpan(0, count);
        Errno errno = UserPagesContract.TryPin(User, at, IsWritable, pins, out int pinned);
        for (int i = 0; i < pinned; i++)
        {
            ref PageSlot slot = ref SlotOf(index + (ulong)i);
            slot.Pin = pins[i];
            slot.IsPinned = true;
        }

        pinnedCount += (ulong)pinned;
        index += (ulong)pinned;
        return errno;
    }

    private void Unpin(ulong index)
    {
        ref PageSlot slot = ref SlotOf(index);
        Check.That(slot.IsPinned, $"io pages invariant 1: page {index} is unpinned, and was not pinned");
        slot.Pin.Dispose();
        slot.Pin = default;
        slot.IsPinned = false;
        pinnedCount--;
    }

    private ref PageSlot SlotOf(ulong index)
    {
        Chunk chunk = chunks[index / ChunkPages] ??= new Chunk();
        return ref chunk.Slots[index % ChunkPages];
    }

    /// <summary>One access, as often as it was asked for.</summary>
    /// <param name="first">Its first page.</param>
    /// <param name="last">Its last page.</param>
    internal sealed class AccessRecord(ulong first, ulong last)
    {
        public ulong First { get; } = first;

        public ulong Last { get; } = last;

        public int Users { get; set; }
    }

    private sealed class Chunk
    {
        public PageSlot[] Slots { get; } = new PageSlot[ChunkPages];
    }

    private struct PageSlot
    {
        public int Holders;

        public bool IsPinned;

        public UserPin Pin;
    }
}
