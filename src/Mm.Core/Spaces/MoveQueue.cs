using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>Pages on their way to other nodes: taken off the reclaim list, held, and moved or put back.</summary>
/// <remarks>
/// Owns a reference of each page in it. The CPU copies. What could not be moved is on the list again when it is over.
/// <para><b>Linux:</b> the page list of do_mbind and do_pages_move; migrate_pages, putback_movable_pages (mm/migrate.c, v6.12).
/// Deliberate difference: a page that is held is tried once, not ten times.</para>
/// <para><b>Locking:</b> one thread; <see cref="Move"/> wants no lock of a space that it would wait for.</para>
/// </remarks>
internal sealed class MoveQueue(AddressSpaces owner)
{
    private readonly List<PageRef> pages = [];

    /// <summary>Whether nothing is queued.</summary>
    internal bool IsEmpty => pages.Count == 0;

    /// <summary>The first page queued. <b>Linux:</b> the head of the list.</summary>
    internal Pfn First => pages[0].Page;

    private FrameTable Frames => owner.Parts.Frames;

    /// <summary>Takes a page off the reclaim list and queues it.</summary>
    /// <param name="held">A reference of it, or of its folio; the queue's if it is taken.</param>
    /// <returns>Whether it is queued; if not, somebody else has it off the list.</returns>
    internal bool TryAdd(PageRef held)
    {
        if (!owner.Migration.TryIsolate(held.Page))
        {
            return false;
        }

        pages.Add(held);
        return true;
    }

    /// <summary>Moves what is queued, in order. Nothing is queued afterwards.</summary>
    /// <param name="allocate">Takes a page for one that is queued: its index in its owner's count, and the order.</param>
    /// <returns>How many were not moved, and Ok; or ENOMEM: no page for one of them, and those behind it were not tried.</returns>
    internal (Errno Errno, int Left) Move(MoveTarget allocate)
    {
        Errno errno = Errno.Ok;
        int left = 0;
        for (int next = 0; next < pages.Count; next++)
        {
            bool isMoved = false;
            if (errno.IsOk)
            {
                errno = TryMoveOne(pages[next], allocate, out isMoved);
            }

            left += isMoved ? 0 : 1;
            if (!isMoved)
            {
                PutBack(pages[next]);
            }
        }

        pages.Clear();
        return (errno, left);
    }

    /// <summary>Takes pages of one node, and no other. <b>Linux:</b> alloc_migration_target with __GFP_THISNODE.</summary>
    /// <param name="node">The node.</param>
    /// <returns>What takes them.</returns>
    internal MoveTarget ToNode(NodeId node) => (ulong _, int order, out PageRef page) => owner.Parts.Allocator.TryAllocate(
        AllocationRequest.User with { Node = node, IsThisNodeOnly = true, Order = order }, out page);

    /// <summary>Moves nothing: all goes back. <b>Linux:</b> putback_movable_pages.</summary>
    internal void PutBackAll()
    {
        pages.ForEach(PutBack);
        pages.Clear();
    }

    // When it has moved, the reference is gone with it.
    private Errno TryMoveOne(PageRef held, MoveTarget allocate, out bool isMoved)
    {
        isMoved = false;
        if (Frames.ReferencesOf(held.Page) == 1 && Frames.MapCountOf(held.Page) == 0)
        {
            held.Dispose(); // all others have let go meanwhile: nothing is left to move
            isMoved = true;
            return Errno.Ok;
        }

        _ = Frames.HeadOf(held.Page, out int order);
        ulong index = Frames.BelongsTo(held.Page).Index;
        Errno errno = allocate(index, order, out PageRef fresh);
        if (!errno.IsOk && order != 0)
        {
            // No room for all of it in one piece: its parts may find some.
            errno = TryBreakUp(held.Page) ? allocate(index, order: 0, out fresh) : Errno.Ok;
        }

        if (fresh.IsEmpty)
        {
            return errno;
        }

        isMoved = owner.Migration.TryMoveIsolated(held.Page, fresh);
        fresh.Dispose();
        if (isMoved)
        {
            held.Dispose();
        }

        return Errno.Ok;
    }

    // The parts queue up behind, off the list as the folio was; the head goes on as a single page.
    private bool TryBreakUp(Pfn head)
    {
        owner.PageLocks.Lock(head);
        bool isSplit = owner.Migration.TrySplit(head, pages).IsOk;
        owner.PageLocks.Unlock(head);
        return isSplit;
    }

    private void PutBack(PageRef held)
    {
        owner.Migration.PutBack(held.Page, mayHaveLeft: true);
        held.Dispose();
    }
}
