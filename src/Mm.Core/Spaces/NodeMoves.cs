using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>Looks through one space for pages on nodes where they should not be, and queues those that may move.</summary>
/// <remarks>
/// Owns nothing; what it finds goes into a <see cref="MoveQueue"/>. Pages of devices are passed over in silence.
/// <para><b>Linux:</b> queue_pages_range, queue_folios_pte_range, migrate_folio_add (mm/mempolicy.c);
/// __add_folio_for_migration (mm/migrate.c, v6.12).</para>
/// <para><b>Locking:</b> the space's lock, for reading at least.</para>
/// </remarks>
internal sealed class NodeMoves(AddressSpace space, MoveQueue queue)
{
    private FrameTable Frames => space.Parts.Frames;

    /// <summary>Whether pages of an area can be moved. <b>Linux:</b> vma_migratable.</summary>
    /// <param name="area">The area.</param>
    /// <returns>Whether they can.</returns>
    internal static bool IsMovable(Area area) => area.Traits.Kind is not (AreaKind.PfnMapped or AreaKind.DeviceMemory);

    /// <summary>Queues the misplaced pages of a range.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="isMisplaced">Whether a page of a node is.</param>
    /// <param name="flags">What is to become of them.</param>
    /// <param name="mayHaveHoles">Whether addresses without area do no harm.</param>
    /// <param name="failed">How many misplaced pages could not be queued.</param>
    /// <returns>Ok; EFAULT: a hole, or nothing but a hole; EIO: strict without moving, and a page is misplaced.</returns>
    internal Errno TryQueue(VirtRange range, Func<NodeId, bool> isMisplaced, BindFlags flags, bool mayHaveHoles, out int failed)
    {
        failed = 0;
        ulong next = range.Start.Value;
        ulong end = range.Start.Value + range.Length.Value;
        Area[] areas = space.AreaSet.Overlapping(range).ToArray();
        for (int index = 0; index < areas.Length; index++)
        {
            Area area = areas[index];
            bool hasHole = area.Start.Value > next
                || (area.End.Value < end && (index + 1 == areas.Length || areas[index + 1].Start > area.End));
            if (hasHole && !mayHaveHoles)
            {
                return Errno.EFAULT;
            }

            ulong start = Math.Max(area.Start.Value, next);
            next = Math.Min(area.End.Value, end);
            bool isLooked = flags != BindFlags.None && (IsMovable(area) || (flags & BindFlags.Strict) != BindFlags.None);
            failed += isLooked ? QueueArea(area, start, next, isMisplaced, flags) : 0;
            if (failed != 0 && flags == BindFlags.Strict)
            {
                return Errno.EIO;
            }
        }

        return areas.Length == 0 ? Errno.EFAULT : Errno.Ok;
    }

    /// <summary>Queues one page for a node.</summary>
    /// <param name="at">Its address.</param>
    /// <param name="node">Where it is to go.</param>
    /// <param name="all">Whether others may map it too.</param>
    /// <param name="isQueued">Whether it is queued.</param>
    /// <returns>Ok: queued, or there already; EFAULT: no area that pages can be moved in, or the page of zeros; ENOENT: no page, or a
    /// device's; EACCES: another process maps it too; EBUSY: somebody else has it off the reclaim list.</returns>
    internal Errno TryQueueOne(VirtAddr at, NodeId node, bool all, out bool isQueued)
    {
        isQueued = false;
        Errno errno = TryFind(at, needsMovable: true, out PageRef held, out NodeId lies);
        if (!errno.IsOk || lies == node)
        {
            held.Dispose();
            return errno;
        }

        errno = IsSharedLikely(held.Page) && !all ? Errno.EACCES : Errno.Ok;
        isQueued = errno.IsOk && queue.TryAdd(held);
        if (!isQueued)
        {
            held.Dispose();
        }

        return errno.IsOk && !isQueued ? Errno.EBUSY : errno;
    }

    /// <summary>Where a page lies. <b>Linux:</b> do_pages_stat_array.</summary>
    /// <param name="at">Its address.</param>
    /// <returns>The node, or why there is none.</returns>
    internal PageMoveStatus StatusOf(VirtAddr at)
    {
        Errno errno = TryFind(at, needsMovable: false, out PageRef held, out NodeId node);
        held.Dispose();
        return errno.IsOk ? PageMoveStatus.On(node) : PageMoveStatus.Refused(errno);
    }

    private static bool Moves(BindFlags flags) => (flags & (BindFlags.Move | BindFlags.MoveAll)) != BindFlags.None;

    private Errno TryFind(VirtAddr at, bool needsMovable, out PageRef held, out NodeId node)
    {
        held = default;
        node = NodeId.None;
        VirtAddr page = at.AlignDown(PageSize.Small);
        if (!AreaSet.Addresses.Contains(at) || space.FindArea(page) is not { } area || (needsMovable && !IsMovable(area)))
        {
            return Errno.EFAULT;
        }

        Pte entry = space.Tables.Read(page);
        if (entry.IsZeroPage)
        {
            return Errno.EFAULT;
        }

        if (!TryHold(page, entry, out held))
        {
            return Errno.ENOENT;
        }

        node = Frames.Describe(held.Page).Node;
        if (Frames.IsDevice(held.Page))
        {
            held.Dispose();
            held = default;
            return Errno.ENOENT;
        }

        return Errno.Ok;
    }

    private int QueueArea(Area area, ulong at, ulong end, Func<NodeId, bool> isMisplaced, BindFlags flags)
    {
        int failed = 0;
        Pfn large = default;
        while (at < end)
        {
            PteRun run = space.Tables.RunAt(at, end);
            bool isLeaf = !run.Large.IsNone;
            int steps = run.IsHole ? 0 : isLeaf ? 1 : (int)run.Pages.Value;
            for (int index = 0; index < steps; index++)
            {
                var page = new VirtAddr(at + ((ulong)index << PageSize.Small.Shift));
                Pte entry = isLeaf ? run.Large : run[index];
                failed += TryQueueEntry(area, page, entry, isMisplaced, flags, ref large) ? 0 : 1;
                if (failed != 0 && flags == BindFlags.Strict)
                {
                    return failed;
                }
            }

            at += run.Pages.ToBytes().Value;
        }

        return failed;
    }

    // False: it is misplaced, and stays.
    private bool TryQueueEntry(
        Area area, VirtAddr at, Pte entry, Func<NodeId, bool> isMisplaced, BindFlags flags, ref Pfn large)
    {
        if (!entry.IsPresent || entry.IsSpecial || entry.IsZeroPage)
        {
            return !entry.IsMigration;
        }

        if (!TryHold(at, space.Tables.Read(at), out PageRef held))
        {
            return true; // it went meanwhile: a fault brings another one as the policy says
        }

        bool isWrong = !Frames.IsDevice(held.Page) && isMisplaced(Frames.Describe(held.Page).Node);
        Pfn head = Frames.HeadOf(held.Page, out int order);
        bool isSeen = order != 0 && head == large; // a folio mapped page by page is looked at once
        large = isWrong && order != 0 ? head : large;
        if (!isWrong || isSeen)
        {
            held.Dispose();
            return true;
        }

        bool mayMove = Moves(flags) && IsMovable(area);
        bool isLeftAlone = (flags & BindFlags.MoveAll) == BindFlags.None && IsSharedLikely(held.Page);
        bool isQueued = mayMove && !isLeftAlone && queue.TryAdd(held);
        if (!isQueued)
        {
            held.Dispose();
        }

        return mayMove && (isLeftAlone || isQueued);
    }

    // The page or folio of an entry, held as long as the entry still stands.
    private bool TryHold(VirtAddr at, Pte entry, out PageRef held)
    {
        held = default;
        if (!entry.IsPresent || entry.IsSpecial || entry.IsZeroPage || !Frames.TryGet(entry.Frame, out held).IsOk)
        {
            return false;
        }

        Pte now = space.Tables.Read(at);
        PageRef part = held;
        bool isThere = now.IsPresent && now.Frame == entry.Frame
            && Frames.TryGet(Frames.HeadOf(entry.Frame, out _), out held).IsOk;
        part.Dispose();
        held = isThere ? held : default;
        return isThere;
    }

    // Linux: folio_likely_mapped_shared.
    private bool IsSharedLikely(Pfn page)
    {
        Pfn head = Frames.HeadOf(page, out int order);
        ulong mapped = Frames.MapCountOf(head);
        return order == 0 ? mapped > 1
            : mapped > 1 && (Frames.EntireMapCountOf(head) != 0 || mapped > 1UL << order || Frames.Describe(head).MapCount > 1);
    }
}
