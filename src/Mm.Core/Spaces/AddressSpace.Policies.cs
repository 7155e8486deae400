using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <content>On which nodes pages come to lie: policies of areas.</content>
public sealed partial class AddressSpace
{
    private const BindFlags AllBindFlags = BindFlags.Strict | BindFlags.Move | BindFlags.MoveAll;

    /// <summary>Sets the policy of a range, and moves pages that lie elsewhere if that is asked. Areas are split and merged as needed.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages. None is Ok and does nothing.</param>
    /// <param name="mode">How pages are chosen; Default takes the policy away.</param>
    /// <param name="nodes">Among which nodes.</param>
    /// <param name="flags">What is to become of pages that lie elsewhere; those of devices stay in silence.</param>
    /// <returns>Ok; EINVAL: not a page's address, a range that wraps, or a policy as <see cref="Placement.TrySetPolicy"/> refuses;
    /// EPERM: to move what others map too, and the process may not; EFAULT: a hole, which Default allows unless there is nothing
    /// else; EIO: strict, and a page lies elsewhere: without moving nothing has changed, with it what could be moved was;
    /// ENOMEM: too many areas.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Bits that are no flags.</exception>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> mbind.</remarks>
    public Errno TryBind(VirtAddr start, ByteCount length, PolicyMode mode, NodeSet nodes = default, BindFlags flags = BindFlags.None)
    {
        ThrowIfEnded();
        ArgumentOutOfRangeException.ThrowIfNotEqual((int)(flags & ~AllBindFlags), 0, nameof(flags));
        if ((flags & BindFlags.MoveAll) != BindFlags.None && !Placement.MayMoveShared)
        {
            return Errno.EPERM;
        }

        Errno errno = TryPolicyRange(start, length, out VirtRange range);
        if (!errno.IsOk || range.IsEmpty)
        {
            return errno;
        }

        errno = Placement.TryMake(mode, nodes, out MemoryPolicy? policy);
        if (!errno.IsOk)
        {
            return errno;
        }

        bool isDefault = mode == PolicyMode.Default;
        return BindRange(range, policy, nodes, isDefault ? flags & ~BindFlags.Strict : flags, isDefault);
    }

    /// <summary>Sets the node that distances are counted from, of the Bind and PreferredMany policies in a range.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages. None is Ok and does nothing.</param>
    /// <param name="home">The node; it need not be among the policy's.</param>
    /// <returns>Ok; EINVAL: not a page's address, a range that wraps, or no such node; ENOENT: no area there has a policy;
    /// EOPNOTSUPP: an area has a policy of another mode, and those before it are changed; ENOMEM: too many areas.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> set_mempolicy_home_node.</remarks>
    public Errno TrySetHomeNode(VirtAddr start, ByteCount length, NodeId home)
    {
        ThrowIfEnded();
        Errno errno = TryPolicyRange(start, length, out VirtRange range);
        errno = errno.IsOk && !Placement.IsOnline(home) ? Errno.EINVAL : errno;
        if (!errno.IsOk || range.IsEmpty)
        {
            return errno;
        }

        using SpaceLock.Held held = Lock.EnterWrite();
        errno = Errno.ENOENT;
        foreach ((Area area, VirtRange part) in PartsOf(range))
        {
            if (area.Traits.Policy is not { } policy)
            {
                continue;
            }

            errno = policy.Mode is PolicyMode.Bind or PolicyMode.PreferredMany
                ? SetPolicy(area, part, policy.WithHome(home))
                : Errno.EOPNOTSUPP;
            if (!errno.IsOk)
            {
                break;
            }
        }

        return errno;
    }

    /// <summary>Tells the policy of an address.</summary>
    /// <param name="at">The address.</param>
    /// <param name="policy">The area's or its file's; null: it has none, whatever the process has.</param>
    /// <returns>Ok; EFAULT: nothing is mapped there.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> get_mempolicy with MPOL_F_ADDR.</remarks>
    public Errno TryQueryPolicy(VirtAddr at, out MemoryPolicy? policy)
    {
        ThrowIfEnded();
        policy = null;
        using SpaceLock.Held held = Lock.EnterRead();
        if (FindArea(at) is not { } area)
        {
            return Errno.EFAULT;
        }

        (policy, _) = PolicyOf(area, at, order: 0);
        return Errno.Ok;
    }

    /// <summary>Tells the node of the page at an address, faulting it in to be read.</summary>
    /// <param name="at">The address.</param>
    /// <param name="node">The node; of the page of zeros, where that lies.</param>
    /// <returns>Ok; EFAULT: nothing is mapped there, or it cannot be read; ENOMEM: no memory for the page; otherwise as
    /// <see cref="TryPin"/> refuses.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> get_mempolicy with MPOL_F_NODE and MPOL_F_ADDR.</remarks>
    public Errno TryQueryNode(VirtAddr at, out NodeId node)
    {
        ThrowIfEnded();
        node = NodeId.None;
        if (!AreaSet.Addresses.Contains(at))
        {
            return Errno.EFAULT;
        }

        var pages = new PageRef[1];
        using SpaceLock.Held held = Lock.EnterRead();
        Errno errno = TryGetPages(at.AlignDown(PageSize.Small), PinFlags.None, pages, out _);
        if (errno.IsOk)
        {
            node = Parts.Frames.Describe(pages[0].IsEmpty ? Owner.ZeroPage : pages[0].Page).Node;
            pages[0].Dispose();
        }

        return errno;
    }

    /// <summary>Takes a page for an address, as the policies say. <b>Linux:</b> vma_alloc_folio.</summary>
    /// <param name="area">Its area.</param>
    /// <param name="at">The address.</param>
    /// <param name="request">What kind.</param>
    /// <param name="page">The one reference to it; empty when refused.</param>
    /// <returns>Ok; ENOMEM: there is none where the policy allows.</returns>
    internal Errno TryAllocateFor(Area area, VirtAddr at, AllocationRequest request, out PageRef page)
    {
        (MemoryPolicy? policy, ulong turn) = PolicyOf(area, at, request.Order);
        return Placement.TryAllocate(request, policy, turn, out page);
    }

    // The policy, and whose turn it is where pages are interleaved. Linux: get_vma_policy.
    private static (MemoryPolicy? Policy, ulong Turn) PolicyOf(Area area, VirtAddr at, int order)
    {
        ulong turn = (area.Offset.Value >> order) + (at.OffsetFrom(area.Start).Value >> (PageSize.Small.Shift + order));
        return area.Traits.Backing is MemoryFile file
            ? (file.PolicyOf(area.OffsetOf(at)), file.TurnBias + turn)
            : (area.Traits.Policy, turn);
    }

    private static Errno TryPolicyRange(VirtAddr start, ByteCount length, out VirtRange range)
    {
        range = default;
        if ((start.Value & PageMask) != 0)
        {
            return Errno.EINVAL;
        }

        // A length that wraps when it is rounded up is none, as PAGE_ALIGN has it.
        ByteCount rounded = length.Value > ulong.MaxValue - PageMask ? ByteCount.Zero : RoundUp(length);
        return VirtRange.TryCreate(start, rounded, out range) ? Errno.Ok : Errno.EINVAL;
    }

    private Errno BindRange(VirtRange range, MemoryPolicy? policy, NodeSet nodes, BindFlags flags, bool isDefault)
    {
        var queue = new MoveQueue(Owner);
        ulong bias = 0;
        Errno errno;
        int failed;
        using (Lock.EnterWrite())
        {
            // Against the nodes as they were given, not those that are left of them: as Linux does.
            errno = new NodeMoves(this, queue).TryQueue(range, node => !nodes.Contains(node), flags, isDefault, out failed);
            foreach ((Area area, VirtRange part) in errno.IsOk ? PartsOf(range) : [])
            {
                errno = errno.IsOk ? SetPolicy(area, part, policy) : errno;
            }

            bias = errno.IsOk && !queue.IsEmpty ? TurnBiasOf(queue.First) : 0;
        }

        if (!errno.IsOk)
        {
            queue.PutBackAll();
            return errno;
        }

        (Errno moved, int left) = queue.Move((ulong index, int order, out PageRef page) => Placement.TryAllocate(
            AllocationRequest.User with { Order = order }, policy, bias + (index >> order), out page));
        bool isAllThere = failed == 0 && left == 0 && moved.IsOk;
        return !isAllThere && (flags & BindFlags.Strict) != BindFlags.None ? Errno.EIO : Errno.Ok;
    }

    private ulong TurnBiasOf(Pfn page) => Owner.FindFile(Parts.Frames.BelongsTo(page).Mapping)?.TurnBias ?? 0;

    private List<(Area Area, VirtRange Part)> PartsOf(VirtRange range)
    {
        var parts = new List<(Area, VirtRange)>();
        _ = ForEachPart(range, (area, part) => parts.Add((area, part)));
        return parts;
    }

    // Linux: mbind_range.
    private Errno SetPolicy(Area area, VirtRange part, MemoryPolicy? policy)
    {
        if (area.Traits.Policy == policy)
        {
            return Errno.Ok;
        }

        SplitAtBoundaries(part);
        Errno errno = ChangeAreas(() => AreaSet.TryMark(part, traits => traits with { Policy = policy }));
        if (errno.IsOk && area.Traits.Backing is MemoryFile file)
        {
            file.SetPolicy(area.OffsetOf(part.Start), part.Length.ToPagesRoundDown(), policy);
        }

        return errno;
    }
}
