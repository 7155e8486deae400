using Mm.Core.Locking;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>Who polls a buffer: one callback for readers and one for writers, armed on one fence each.</summary>
/// <remarks>
/// An armed callback holds a handle of the buffer until it has run, so that closing every other handle does not take the
/// buffer from under it (museum 19).
/// <para><b>Linux:</b> struct dma_buf_poll_cb_t, dma_buf_poll (v6.12).</para>
/// <para><b>Invariants:</b> (1) a callback is armed once until it has run; (2) armed, it holds a handle.</para>
/// <para><b>Locking:</b> one lock, rank Leaf; who polls is called with none but maybe a reservation's.</para>
/// </remarks>
internal sealed class BufferPoll(DmaBuffer buffer)
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<Waiter> waiters = []; // protected by gate
    private SyncAccess armed; // protected by gate

    internal bool IsArmed
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return armed != SyncAccess.None;
        }
    }

    internal SyncAccess Poll(SyncAccess interest, Action? changed)
    {
        const SyncAccess Known = SyncAccess.Read | SyncAccess.Write;
        if ((interest & ~Known) != SyncAccess.None)
        {
            throw new ArgumentOutOfRangeException(nameof(interest), interest, "interest is reading, writing, or both");
        }

        // On the list before anything is armed, or a signal in between would wake nobody.
        Waiter? waiter = changed is null ? null : new Waiter(changed);
        AddOrRemove(waiter, isAdded: true);
        SyncAccess ready = SyncAccess.None;
        using (ReservationLock locked = buffer.Reservation.Lock())
        {
            foreach (SyncAccess one in (ReadOnlySpan<SyncAccess>)[SyncAccess.Write, SyncAccess.Read])
            {
                bool isReady = (interest & one) != SyncAccess.None && TryClaim(one) && !Arm(locked, one, waiter);
                ready |= isReady ? one : SyncAccess.None;
            }
        }

        if (ready != SyncAccess.None)
        {
            AddOrRemove(waiter, isAdded: false);
        }

        return ready;
    }

    private void AddOrRemove(Waiter? waiter, bool isAdded)
    {
        if (waiter is null)
        {
            return;
        }

        using RankedLock.Guard held = gate.Enter();
        if (isAdded)
        {
            waiters.Add(waiter);
        }
        else
        {
            _ = waiters.Remove(waiter); // false: it ran
        }
    }

    // Not while the callback waits on an earlier fence: it is not ready then.
    private bool TryClaim(SyncAccess one)
    {
        using RankedLock.Guard held = gate.Enter();
        bool isFree = (armed & one) == SyncAccess.None;
        armed |= one;
        return isFree;
    }

    private bool Arm(ReservationLock locked, SyncAccess one, Waiter? asker)
    {
        BufferHandle hold = buffer.Hold();
        foreach ((DmaFence fence, _) in locked.GetAll(Reservation.UsageOf(one == SyncAccess.Write)))
        {
            if (fence.TryAddCallback(_ => Run(one, hold, asker: null), out _).IsOk)
            {
                return true;
            }
        }

        Run(one, hold, asker); // nothing to wait for: whoever else waits may look again
        return false;
    }

    // Who asks gets its answer as a result, not as a call.
    private void Run(SyncAccess one, BufferHandle hold, Waiter? asker)
    {
        Waiter[] woken;
        using (gate.Enter())
        {
            armed &= ~one;
            woken = [.. waiters.Where(waiter => waiter != asker)];
            _ = waiters.RemoveAll(waiter => waiter != asker);
        }

        foreach (Waiter each in woken)
        {
            each.Changed();
        }

        hold.Dispose();
    }

    private sealed class Waiter(Action changed)
    {
        internal Action Changed { get; } = changed;
    }
}
