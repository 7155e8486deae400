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

    /// <summary>Waits until a condition holds; returns at once if it does.</summary>
    /// <param name="point">The name of the wait, for the explorer.</param>
    /// <param name="isReady">The condition: free of side effects, reading what wakers write with volatile reads.</param>
    public void WaitUntil(string point, Func<bool> isReady)
    {
        ArgumentNullException.ThrowIfNull(isReady);
        if (points is not null)
        {
            points.WaitUntil(point, isReady);
            return;
        }

        lock (sleepers)
        {
            // A waker changes the state first and takes this lock then: a change after this look is followed by a pulse.
            while (!isReady())
            {
                Monitor.Wait(sleepers);
            }
        }
    }

    /// <summary>Lets every waiter look at its condition again.</summary>
    public void WakeAll()
    {
        lock (sleepers)
        {
            Monitor.PulseAll(sleepers);
        }
    }
}
