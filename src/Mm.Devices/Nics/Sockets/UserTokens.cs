using Mm.Core.Locking;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Sockets;

/// <summary>The fragments that a socket's user has, by token.</summary>
/// <remarks>
/// Owns a lease of each.
/// <para><b>Linux:</b> sk_user_frags (v6.12): the lowest free number from 1 is given.</para>
/// <para><b>Invariants:</b> (1) a token has one fragment, until it is given back once.</para>
/// <para><b>Locking:</b> one lock, rank Leaf; leases are disposed without it.</para>
/// </remarks>
internal sealed class UserTokens
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Dictionary<uint, PoolLease> leases = []; // protected by gate
    private uint lowestFree = 1; // no lower token is free; protected by gate
    private bool isClosed; // protected by gate

    internal int Count
    {
        get
        {
            using (gate.Enter())
            {
                return leases.Count;
            }
        }
    }

    /// <summary>Gives a token for a fragment.</summary>
    internal uint Add(PoolLease lease)
    {
        using (gate.Enter())
        {
            uint token = lowestFree;
            while (leases.ContainsKey(token))
            {
                token++;
            }

            leases.Add(token, lease);
            lowestFree = token + 1;
            return token;
        }
    }

    /// <summary>Takes a token back.</summary>
    /// <returns>Whether it was out.</returns>
    internal bool TryRemove(uint token, out PoolLease lease)
    {
        using (gate.Enter())
        {
            if (!leases.Remove(token, out lease))
            {
                return false;
            }

            lowestFree = Math.Min(lowestFree, token);
            return true;
        }
    }

    /// <summary>Each binding's number of tokens, for a ledger.</summary>
    internal IReadOnlyList<IGrouping<IMemoryProvider, PoolLease>> CollectByOwner()
    {
        using (gate.Enter())
        {
            return [.. leases.Values.GroupBy(lease => lease.Memory.TryGetNetIov(out NetIov? memory) ? memory.Owner : null!)];
        }
    }

    /// <summary>The socket closes: all come back.</summary>
    internal void Close()
    {
        PoolLease[] left;
        using (gate.Enter())
        {
            left = isClosed ? [] : [.. leases.Values];
            isClosed = true;
            leases.Clear();
        }

        PagePool.PutMany(left);
    }
}
