namespace Mm.Core.PhysRanges;

/// <summary>The lists of one builder that were given back and wait for the next build.</summary>
/// <remarks>
/// A few slots, taken and filled by one exchange each: a list comes back on whatever thread disposes it.
/// <para><b>Locking:</b> safe from any thread, without a lock.</para>
/// </remarks>
internal sealed class PhysRangeListPool
{
    // A queue of I/O depth this many recycles all its lists; more are left to the collector.
    private const int SlotCount = 16;

    // Atomic: each slot goes null -> list by CompareExchange in Return, list -> null by Exchange in Rent.
    private readonly PhysRangeList?[] slots = new PhysRangeList?[SlotCount];

    /// <summary>A closed list: one that was given back, or a new one.</summary>
    /// <returns>The list.</returns>
    internal PhysRangeList Rent()
    {
        foreach (ref PhysRangeList? slot in slots.AsSpan())
        {
            if (slot is not null && Interlocked.Exchange(ref slot, null) is { } list)
            {
                return list;
            }
        }

        return new PhysRangeList(this);
    }

    /// <summary>Keeps a closed list for later, if a slot is free.</summary>
    /// <param name="list">The list; its taker was told that it is closed.</param>
    internal void Return(PhysRangeList list)
    {
        foreach (ref PhysRangeList? slot in slots.AsSpan())
        {
            if (slot is null && Interlocked.CompareExchange(ref slot, list, null) is null)
            {
                return;
            }
        }
    }
}
