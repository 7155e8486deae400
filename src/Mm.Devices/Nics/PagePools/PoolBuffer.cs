using Mm.Core.Checks;

namespace Mm.Devices.Nics.PagePools;

/// <summary>One buffer of a page pool: a page, or memory without pages.</summary>
/// <remarks>
/// Owns the count of its users: its one taker, or its fragments.
/// <para><b>Linux:</b> the fields that struct page and struct net_iov share: pp, pp_ref_count, pp_magic (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread; atomic.</para>
/// </remarks>
public abstract class PoolBuffer
{
    private long users = 1; // atomic
    private int generation; // ends leases as it grows; written by the last user

    private protected PoolBuffer()
    {
    }

    /// <summary>Its pool; null when it is in none.</summary>
    public PagePool? Pool { get; internal set; }

    internal int Generation => Volatile.Read(ref generation);

    internal abstract bool IsRecyclable { get; }

    /// <summary>Splits it among so many users.</summary>
    internal void Fragment(long count) => Volatile.Write(ref users, count);

    /// <summary>One more user, beside one who stays meanwhile.</summary>
    internal void AddUser() => Interlocked.Increment(ref users);

    /// <summary>Takes users away.</summary>
    /// <returns>How many are left; with none left it is whole again, for one.</returns>
    internal long Unreference(long count)
    {
        if (Volatile.Read(ref users) == count)
        {
            if (count != 1)
            {
                Volatile.Write(ref users, 1);
            }

            return 0; // nobody else is there who could change it
        }

        long left = Interlocked.Add(ref users, -count);
        Check.That(left >= 0, $"pool buffer: {-left} users too many left it");
        if (left == 0)
        {
            Volatile.Write(ref users, 1);
        }

        return left;
    }

    /// <summary>It is back in its pool: leases of before are over. Its last user's to say.</summary>
    internal void EndLeases() => Volatile.Write(ref generation, unchecked(generation + 1)); // may wrap
}
