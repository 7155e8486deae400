using Mm.Core.Checks;

namespace Mm.Core.Locking;

/// <summary>Threads that wait for a condition which other threads bring about.</summary>
/// <remarks>
/// Owns the sleepers, not the condition: who changes what the condition reads calls <see cref="WakeAll"/> afterwards.
/// With yield points the wait is the explorer's, and no thread sleeps.
/// <para><b>Linux:</b> wait_queue_head_t with wait_event and wake_up_all (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread. Waiting wants no lock held that the waker needs.</para>
/// </remarks>
/// <param name="points">The explorer's points; <see langword="null"/> in production.</param>
public sealed class WaitQueue(IYieldPoints? points = null)
{
    private readonly object sleepers = new();
    private int waiters; // atomic; raised before a condition is looked at

    /// <summary>Whether somebody waits. Who asks before <see cref="WakeAll"/> has a full fence between its change and this.</summary>
    public bool HasWaiters => Volatile.Read(ref waiters) != 0;

    /// <summary>Waits until a condition holds; returns at once if it does.</summary>
    /// <param name="point">The name of the wait, for the explorer.</param>
    /// <param name="isReady">The condition: free of side effects, reading what wakers write with volatile reads.</param>
    public void WaitUntil(string point, Func<bool> isReady)
    {
        ArgumentNullException.ThrowIfNull(isReady);
        _ = Interlocked.Increment(ref waiters); // a full fence, before the condition is looked at
        try
        {
            if (points is null)
            {
                Sleep(isReady);
            }
            else
            {
                points.WaitUntil(point, isReady);
            }
        }
        finally
        {
            _ = Interlocked.Decrement(ref waiters);
        }
    }

    /// <summary>Lets every waiter look at its condition again.</summary>
    public void WakeAll()
    {
        Interlocked.MemoryBarrier(); // the waker's change, before it is asked whether anybody waits
        if (!HasWaiters)
        {
            return;
        }

        lock (sleepers)
        {
            Monitor.PulseAll(sleepers);
        }
    }

    private void Sleep(Func<bool> isReady)
    {
        lock (sleepers)
        {
            // A waker changes the state first and takes this lock then: a change after this look is followed by a pulse.
            while (!isReady())
            {
                Monitor.Wait(sleepers);
            }
        }
    }
}
