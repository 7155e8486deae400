using Mm.Core;
using Mm.Core.Locking;

namespace Mm.Devices.Rdma;

/// <summary>All addresses of a process, in children that are made when they are used first and given up when they are empty.</summary>
/// <remarks>
/// Owns its children, each a subscription to 2 MiB.
/// <para><b>Linux:</b> ib_umem_odp_alloc_implicit, implicit_get_child_mr, destroy_unused_implicit_child_mr
/// (drivers/infiniband/hw/mlx5/odp.c, v6.12), with the compare-exchange of CVE-2025-21714's mend.</para>
/// <para><b>Invariants:</b> (1) one live child at most for each place; (2) a child is given up once.</para>
/// <para><b>Locking:</b> a lock of rank Leaf for the table of children, under which nothing is called; a child that was given
/// up is destroyed by the next access or by the release, not by the invalidation that emptied it, which its end waits for.</para>
/// </remarks>
internal sealed partial class ImplicitBacking(RdmaContext context) : RegionBacking(context.Nic.View)
{
    /// <summary>The bytes of a child.</summary>
    internal static readonly ByteCount ChildBytes = ByteCount.FromMiB(2);

    private readonly RankedLock leaf = new(LockRank.Leaf);
    private readonly Dictionary<ulong, OnDemandBacking> children = []; // protected by leaf
    private readonly Queue<OnDemandBacking> givenUp = new(); // protected by leaf
    private bool isRevoked; // protected by leaf

    /// <summary>How many children are live.</summary>
    internal int ChildCount
    {
        get
        {
            using RankedLock.Guard held = leaf.Enter();
            return children.Count;
        }
    }

    /// <summary>How many children were made, and not needed because somebody else was faster.</summary>
    internal int LostRaces { get; private set; }

    /// <inheritdoc/>
    internal override Errno TryAccess(ByteCount offset, Span<byte> bytes, bool isWrite)
    {
        Reap();
        ulong at = offset.Value;
        while (!bytes.IsEmpty)
        {
            ulong index = at / ChildBytes.Value;
            var inside = new ByteCount(at % ChildBytes.Value);
            int here = (int)Math.Min((ulong)bytes.Length, ChildBytes.Value - inside.Value);
            Errno errno = TryGetChild(index, out OnDemandBacking? child);
            if (!errno.IsOk)
            {
                return errno;
            }

            errno = child!.TryAccess(inside, bytes[..here], isWrite);
            child.Drop();
            if (!errno.IsOk)
            {
                return errno;
            }

            bytes = bytes[here..];
            at += (ulong)here;
        }

        return Errno.Ok;
    }

    /// <summary>A child is empty: takes it out of the table, if it is there, to be destroyed later.</summary>
    internal void GiveUp(OnDemandBacking child)
    {
        using RankedLock.Guard held = leaf.Enter();
        bool isThere = children.TryGetValue(child.Index, out OnDemandBacking? there) && ReferenceEquals(there, child);
        if (isThere || GivesUpBlindly)
        {
            _ = children.Remove(child.Index);
            givenUp.Enqueue(child);
        }
    }

    /// <summary>Destroys children that were given up.</summary>
    internal void Reap()
    {
        while (true)
        {
            OnDemandBacking? child;
            using (leaf.Enter())
            {
                _ = givenUp.TryDequeue(out child);
            }

            if (child is null)
            {
                return;
            }

            child.Drop();
        }
    }

    /// <inheritdoc/>
    internal override void Revoke()
    {
        OnDemandBacking[] all;
        using (leaf.Enter())
        {
            isRevoked = true;
            all = [.. children.Values];
        }

        foreach (OnDemandBacking child in all)
        {
            child.Revoke();
        }
    }

    /// <inheritdoc/>
    internal override void Release()
    {
        using (leaf.Enter())
        {
            isRevoked = true;
            foreach (OnDemandBacking child in children.Values)
            {
                givenUp.Enqueue(child);
            }

            children.Clear();
        }

        Reap();
    }

    /// <inheritdoc/>
    internal override void Report(string holder, ICollection<LedgerEntry> entries)
    {
        OnDemandBacking[] all;
        using (leaf.Enter())
        {
            all = [.. children.Values];
        }

        foreach (OnDemandBacking child in all)
        {
            child.Report(holder, entries);
        }
    }

    // Kept for the caller, who drops it. Who makes one and loses the race frees its own.
    private Errno TryGetChild(ulong index, out OnDemandBacking? child)
    {
        if (TryFindChild(index, out child, out Errno refused) || !refused.IsOk)
        {
            return refused;
        }

        var start = new VirtAddr(index * ChildBytes.Value);
        Errno errno = OnDemandBacking.TryCreate(context, start, ChildBytes, this, index, out OnDemandBacking? made);
        if (!errno.IsOk)
        {
            return errno;
        }

        context.Nic.Points?.Reach("implicit-made");
        bool isFirst;
        using (leaf.Enter())
        {
            isFirst = !isRevoked && children.TryAdd(index, made!);
            if (isFirst)
            {
                _ = made!.TryKeep(); // nobody has dropped it yet
                child = made;
            }
        }

        if (isFirst)
        {
            return Errno.Ok;
        }

        LostRaces++;
        made!.Drop();
        return TryGetChild(index, out child);
    }

    private bool TryFindChild(ulong index, out OnDemandBacking? child, out Errno refused)
    {
        using RankedLock.Guard held = leaf.Enter();
        refused = isRevoked ? Errno.EINVAL : Errno.Ok;
        child = null;
        return !isRevoked && children.TryGetValue(index, out child) && child.TryKeep();
    }
}
