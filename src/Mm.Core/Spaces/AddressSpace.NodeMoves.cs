using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <content>On which nodes pages lie: told, and changed.</content>
public sealed partial class AddressSpace
{
    /// <summary>Tells on which nodes pages lie, without touching them.</summary>
    /// <param name="pages">Addresses in the pages.</param>
    /// <param name="status">One answer a page; as long as <paramref name="pages"/>.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> move_pages without nodes.</remarks>
    public void QueryNodes(ReadOnlySpan<VirtAddr> pages, Span<PageMoveStatus> status)
    {
        ThrowIfEnded();
        ThrowUnlessLike(pages.Length, status.Length, nameof(status));
        using SpaceLock.Held held = Lock.EnterRead();
        var query = new NodeMoves(this, new MoveQueue(Owner));
        for (int index = 0; index < pages.Length; index++)
        {
            status[index] = query.StatusOf(pages[index]);
        }
    }

    /// <summary>Moves pages, each to a node. Stops at the first run for one node that does not move wholly.</summary>
    /// <param name="pages">Addresses in the pages.</param>
    /// <param name="nodes">Where each is to go; as long as <paramref name="pages"/>.</param>
    /// <param name="status">One answer a page; as long as <paramref name="pages"/>; left alone from where it stopped.</param>
    /// <param name="left">How many pages were not moved when it stopped early, those not tried among them.</param>
    /// <param name="all">Whether pages are moved that others map too. <b>Linux:</b> MPOL_MF_MOVE_ALL.</param>
    /// <returns>Ok: each page has its answer, or <paramref name="left"/> tells; EPERM: all, and the process may not; ENODEV: a node
    /// without RAM; EACCES: a node that the process may not use; ENOMEM: no memory on a node. Runs before the refusal have moved.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> move_pages.</remarks>
    public Errno TryMovePages(
        ReadOnlySpan<VirtAddr> pages, ReadOnlySpan<NodeId> nodes, Span<PageMoveStatus> status, out int left, bool all = false)
    {
        ThrowIfEnded();
        ThrowUnlessLike(pages.Length, nodes.Length, nameof(nodes));
        ThrowUnlessLike(pages.Length, status.Length, nameof(status));
        left = 0;
        if (all && !Placement.MayMoveShared)
        {
            return Errno.EPERM;
        }

        var queue = new MoveQueue(Owner);
        int start = 0;
        for (int index = 0; index < pages.Length; index++)
        {
            NodeId node = nodes[index];
            Errno refused = !Placement.HasMemory(node) ? Errno.ENODEV
                : !Placement.AllowedNodes.Contains(node) ? Errno.EACCES
                : Errno.Ok;
            bool isNew = !queue.IsEmpty && (!refused.IsOk || node != nodes[start]);
            Errno errno = isNew ? MoveRun(queue, nodes[start], status[start..index], pages.Length - index, out left) : Errno.Ok;
            if (!refused.IsOk || !errno.IsOk || left != 0)
            {
                left = refused.IsOk ? left : 0;
                return refused.IsOk ? errno : refused;
            }

            start = queue.IsEmpty ? index : start;
            if (TryQueueFor(queue, pages[index], node, all, out PageMoveStatus answer))
            {
                continue;
            }

            status[index] = answer;
            errno = MoveRun(queue, nodes[start], status[start..index], pages.Length - index - 1, out left);
            if (!errno.IsOk || left != 0)
            {
                return errno;
            }
        }

        return MoveRun(queue, start < nodes.Length ? nodes[start] : NodeId.None, status[start..], untried: 0, out left);
    }

    /// <summary>Moves every page of the process from some nodes to others.</summary>
    /// <param name="from">The nodes that they lie on.</param>
    /// <param name="to">The nodes that they are to lie on; each source goes to the one at its place.</param>
    /// <param name="left">How many pages were not moved.</param>
    /// <returns>Ok; EPERM: a node that the process may not use, and it may not move there; EINVAL: none of the nodes is usable;
    /// ENOMEM: no memory on a node, and what came before it has moved.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> migrate_pages, do_migrate_pages: of the process itself.</remarks>
    public Errno TryMigrateNodes(NodeSet from, NodeSet to, out int left)
    {
        ThrowIfEnded();
        left = 0;
        if (!to.IsSubsetOf(Placement.AllowedNodes) && !Placement.MayMoveShared)
        {
            return Errno.EPERM;
        }

        NodeSet target = to.And(Placement.AllowedNodes);
        if (target.IsEmpty)
        {
            return Errno.EINVAL;
        }

        NodeSet rest = from;
        while (TryPickPair(from, target, rest, out NodeId source, out NodeId destination))
        {
            rest = rest.Without(source);
            Errno errno = MigrateNode(source, destination, out int stayed);
            if (!errno.IsOk)
            {
                return errno;
            }

            left += stayed;
        }

        return Errno.Ok;
    }

    // The next node to empty: if there is one, one whose destination nobody has still to leave. Linux: do_migrate_pages.
    private static bool TryPickPair(in NodeSet from, in NodeSet to, in NodeSet rest, out NodeId source, out NodeId destination)
    {
        source = NodeId.None;
        destination = NodeId.None;
        int fromCount = from.Count;
        int toCount = to.Count;
        for (int place = 0; place < rest.Count; place++)
        {
            NodeId node = rest.At(place);
            NodeId goal = to.At(from.PlaceOf(node) % toCount);
            bool isKept = fromCount != toCount && to.Contains(node);
            if (isKept || node == goal)
            {
                continue;
            }

            (source, destination) = (node, goal);
            if (!rest.Contains(goal))
            {
                break;
            }
        }

        return source.IsKnown;
    }

    private static void ThrowUnlessLike(int pages, int others, string name)
    {
        if (pages != others)
        {
            throw new ArgumentException($"{name} must have one for each of the {pages} pages; it has {others}", name);
        }
    }

    private bool TryQueueFor(MoveQueue queue, VirtAddr at, NodeId node, bool all, out PageMoveStatus answer)
    {
        using SpaceLock.Held held = Lock.EnterRead();
        Errno errno = new NodeMoves(this, queue).TryQueueOne(at, node, all, out bool isQueued);
        answer = errno.IsOk ? PageMoveStatus.On(node) : PageMoveStatus.Refused(errno);
        return isQueued;
    }

    // Linux: move_pages_and_store_status.
    private static Errno MoveRun(MoveQueue queue, NodeId node, Span<PageMoveStatus> status, int untried, out int left)
    {
        left = 0;
        if (queue.IsEmpty)
        {
            return Errno.Ok;
        }

        (Errno errno, int stayed) = queue.Move(queue.ToNode(node));
        if (!errno.IsOk || stayed != 0)
        {
            left = errno.IsOk ? stayed + untried : 0;
            return errno;
        }

        status.Fill(PageMoveStatus.On(node));
        return Errno.Ok;
    }

    private Errno MigrateNode(NodeId source, NodeId destination, out int left)
    {
        var queue = new MoveQueue(Owner);
        int failed = 0;
        using (Lock.EnterRead())
        {
            BindFlags flags = Placement.MayMoveShared ? BindFlags.MoveAll : BindFlags.Move;
            _ = new NodeMoves(this, queue).TryQueue(AreaSet.Addresses, node => node == source, flags, mayHaveHoles: true, out failed);
        }

        (Errno errno, int stayed) = queue.Move(queue.ToNode(destination));
        left = failed + stayed;
        return errno;
    }
}
