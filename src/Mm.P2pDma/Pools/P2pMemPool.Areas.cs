using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;

namespace Mm.P2pDma.Pools;

/// <content>Memory of the pool in address spaces: each mapping is a new piece of it, given back page by page.</content>
public sealed partial class P2pMemPool
{
    /// <summary>What a process maps to be given memory of the pool; shared, and from its first page on.</summary>
    /// <remarks>
    /// Mapping it answers EINVAL: private, or not from the first page; ENOMEM: no stretch has so many free pages in a row, or
    /// no memory for a table; ENODEV: the pool is released, or the page map found is ending.
    /// <para><b>Linux:</b> p2pmem_alloc_mmap, the file p2pmem/allocate in sysfs (v6.12).</para>
    /// </remarks>
    public AreaBacking Backing { get; }

    // A block with one reference becomes pages with one each. Refused, what is mapped goes with the area, and the rest of the
    // block goes back with its own reference.
    private Errno TryMap(AreaFilling filling)
    {
        Area area = filling.Area;
        if (!area.Traits.IsShared || area.Offset != PageCount.Zero)
        {
            return Errno.EINVAL;
        }

        P2pMemChunk? chunk;
        PhysRange block;
        Errno errno;
        using (gate.Enter())
        {
            errno = TryTake(area.Range.Length, out chunk, out block);
        }

        for (ulong page = 0; errno.IsOk && page < area.Pages.Value; page++)
        {
            ByteCount done = new PageCount(page).ToBytes();
            PhysRange rest = block.Slice(done, block.Length.SubtractChecked(done));
            errno = TryMapPage(filling, area.Start.AddChecked(done), chunk!, rest);
        }

        if (!errno.IsOk)
        {
            return errno;
        }

        chunk!.Pagemap.PutReference(); // that of the block: by now each page has its own
        return IsReleased ? Errno.ENODEV : Errno.Ok; // released meanwhile, it may have missed these entries
    }

    private Errno TryMapPage(AreaFilling filling, VirtAddr at, P2pMemChunk chunk, PhysRange rest)
    {
        Pfn page = rest.Start.Pfn;
        CheckIdle(chunk, page);
        if (!chunk.Pagemap.TryTakeReference())
        {
            Free(chunk, rest);
            return Errno.ENODEV;
        }

        Errno errno = chunk.Pagemap.Pages.TryHandOut(page, out PageRef held, out PageLock pageLock);
        pageLock.Dispose();
        if (errno.IsOk)
        {
            errno = filling.TryInsertPage(at, page);
            held.Dispose(); // the entry has its own; where there is none, the page comes back to the pool with this one
        }
        else
        {
            chunk.Pagemap.PutReference();
            Free(chunk, rest);
            return errno;
        }

        if (!errno.IsOk)
        {
            FreeRest(chunk, rest);
        }

        return errno;
    }

    // The block's reference goes, and its pages but the first, which went by itself.
    private void FreeRest(P2pMemChunk chunk, PhysRange block)
    {
        ByteCount first = PageSize.Small.Bytes;
        if (block.Length > first)
        {
            using (gate.Enter())
            {
                chunk.Give(block.Slice(first, block.Length.SubtractChecked(first)));
            }
        }

        if (!KeepsReferenceOfRefused)
        {
            chunk.Pagemap.PutReference();
        }
    }

    private bool IsReleased
    {
        get
        {
            using (gate.Enter())
            {
                return isReleased;
            }
        }
    }

    // How many references an idle page has is part of its kind. Linux: the check that CVE-2026-46268 was about.
    private void CheckIdle(P2pMemChunk chunk, Pfn page)
    {
        uint idle = machine.Profile.IdleDevicePagesHoldReference || ExpectsIdleReference ? 1U : 0U;
        uint found = machine.Frames.Describe(page).References;
        bool isFine = found == idle || !chunk.Pagemap.IsLive; // one that is ending takes references back
        Check.That(isFine, $"a free page of the pool has {idle} references; {page} has {found}");
    }

    private sealed class Mapper(P2pMemPool pool) : IAreaOperations
    {
        public Errno TryMap(AreaFilling filling) => pool.TryMap(filling);
    }
}
