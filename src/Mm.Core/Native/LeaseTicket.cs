namespace Mm.Core.Native;

/// <summary>The identity of one open lease: what tells a first <c>Dispose</c> from a second one of a copy.</summary>
/// <remarks>
/// A lease carries the ticket and the generation it was opened with; ending the lease raises the generation, so every
/// copy of it is stale from then on. Tickets are used again, generations are not.
/// <para><b>Locking:</b> atomic; safe from any thread.</para>
/// </remarks>
internal sealed class LeaseTicket
{
    private long generation;

    /// <summary>The generation of the lease that holds the ticket now.</summary>
    internal long Generation => Volatile.Read(ref generation);

    /// <summary>Ends the lease of this generation.</summary>
    /// <param name="opened">The generation it was opened with.</param>
    /// <returns>False when that lease has ended before.</returns>
    internal bool TryEnd(long opened) =>
        Interlocked.CompareExchange(ref generation, opened + 1, opened) == opened;
}
