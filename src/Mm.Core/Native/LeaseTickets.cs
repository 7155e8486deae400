using System.Runtime.CompilerServices;

namespace Mm.Core.Native;

/// <summary>The tickets of a region that wait to be used again, so that a lease allocates nothing.</summary>
/// <remarks>
/// A few places, each exchanged atomically; threads start at different ones. More leases at once than places cost an
/// allocation each, no more. A lock-free stack would save nothing and would need its own guard against reuse (ABA).
/// <para><b>Locking:</b> atomic places; safe from any thread.</para>
/// </remarks>
internal sealed class LeaseTickets
{
    private const int Places = 8;

    private LeasePlaces places;

    /// <summary>Takes a ticket.</summary>
    /// <returns>A ticket that nobody else holds.</returns>
    internal LeaseTicket Take()
    {
        int first = Thread.CurrentThread.ManagedThreadId;
        for (int i = 0; i < Places; i++)
        {
            ref LeaseTicket? place = ref places[(first + i) & (Places - 1)];
            if (place is not null && Interlocked.Exchange(ref place, null) is { } ticket)
            {
                return ticket;
            }
        }

        return new LeaseTicket();
    }

    /// <summary>Puts a ticket back whose lease has ended.</summary>
    /// <param name="ticket">The ticket.</param>
    internal void Return(LeaseTicket ticket)
    {
        int first = Thread.CurrentThread.ManagedThreadId;
        for (int i = 0; i < Places; i++)
        {
            ref LeaseTicket? place = ref places[(first + i) & (Places - 1)];
            if (place is null && Interlocked.CompareExchange(ref place, ticket, null) is null)
            {
                return;
            }
        }
    }

    [InlineArray(Places)]
    private struct LeasePlaces
    {
        private LeaseTicket? place;
    }
}
