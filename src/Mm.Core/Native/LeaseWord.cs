namespace Mm.Core.Native;

/// <summary>The life of a region in one word: how many leases are open, and whether the owner has closed it.</summary>
/// <remarks>
/// One word, so that closing cannot race with opening: were they two fields, a lease could open between the owner's look
/// at the count and its release.
/// <code>
///  63                                1   0
/// |          open leases              | closed |
/// </code>
/// <para><b>States:</b> open (bit 0 clear) → closing (set, leases above 0) → ended (set, no lease). Exactly one transition
/// leads to "ended", and whoever makes it releases the memory.</para>
/// <para><b>Invariants:</b> (1) no lease opens once closed; (2) the count never passes <see cref="MaxLeases"/> and never
/// goes below zero; (3) a refused transition changes nothing.</para>
/// <para>Pure: each transition answers false or a new word. <c>default</c> is open with no lease.</para>
/// </remarks>
/// <param name="Bits">The word as stored.</param>
internal readonly record struct LeaseWord(ulong Bits)
{
    /// <summary>The most leases that may be open at once.</summary>
    internal const ulong MaxLeases = ulong.MaxValue >> 1;

    private const ulong ClosedBit = 1;
    private const ulong OneLease = 2;

    /// <summary>How many leases are open.</summary>
    internal ulong OpenLeases => Bits >> 1;

    /// <summary>Whether the owner has closed the region.</summary>
    internal bool IsClosed => (Bits & ClosedBit) != 0;

    /// <summary>Whether the region is closed and nobody holds a lease.</summary>
    internal bool IsEnded => Bits == ClosedBit;

    /// <summary>Opens a lease.</summary>
    /// <param name="next">The word with one lease more.</param>
    /// <returns>False when the region is closed or the count is full.</returns>
    internal bool TryOpen(out LeaseWord next)
    {
        bool refused = IsClosed || OpenLeases == MaxLeases;
        next = refused ? this : new LeaseWord(Bits + OneLease);
        return !refused;
    }

    /// <summary>Ends a lease.</summary>
    /// <param name="next">The word with one lease less.</param>
    /// <returns>False when none is open.</returns>
    internal bool TryEnd(out LeaseWord next)
    {
        bool refused = OpenLeases == 0;
        next = refused ? this : new LeaseWord(Bits - OneLease);
        return !refused;
    }

    /// <summary>Closes the region.</summary>
    /// <param name="next">The closed word, leases as before.</param>
    /// <returns>False when it is closed already.</returns>
    internal bool TryClose(out LeaseWord next)
    {
        next = new LeaseWord(Bits | ClosedBit);
        return !IsClosed;
    }
}
