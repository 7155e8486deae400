using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.DmaBuf.Fences;

/// <summary>What the fences of one machine share: numbers of contexts, the clock, and the threads that wait.</summary>
/// <remarks>
/// Owns the next number and the sleepers. Not responsible for the fences: nothing here keeps one alive.
/// <para><b>Linux:</b> dma_fence_context_alloc and dma_fence_get_stub (v6.12), which are of the whole kernel; here of a
/// machine.</para>
/// <para><b>Invariants:</b> (1) no context is given out twice, and never 0, which is the stubs'.</para>
/// <para><b>Locking:</b> safe from any thread. Lives as long as its clock.</para>
/// </remarks>
public sealed class FenceContexts
{
    private readonly WaitQueue sleepers;
    private ulong last;

    /// <summary>Starts the contexts of a machine.</summary>
    /// <param name="clock">The machine's clock: of timestamps and of time-outs.</param>
    /// <param name="points">The explorer's points; <see langword="null"/> in production.</param>
    public FenceContexts(MachineClock clock, IYieldPoints? points = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        Clock = clock;
        Points = points;
        sleepers = new WaitQueue(points);
        clock.Advanced += (_, _) => Wake();
        Stub = new StubFence(this, clock.NowNs);
    }

    /// <summary>The machine's clock.</summary>
    public MachineClock Clock { get; }

    /// <summary>A fence that has signaled, shared by all who need no other.</summary>
    public StubFence Stub { get; }

    internal IYieldPoints? Points { get; }

    /// <summary>Makes a context.</summary>
    /// <returns>One that nobody had before.</returns>
    public FenceContext Next() => new(Interlocked.Increment(ref last));

    /// <summary>Waits until a condition holds, asking again after each advance of the clock and each wake.</summary>
    internal void WaitUntil(string point, Func<bool> isReady) => sleepers.WaitUntil(point, isReady);

    internal void Wake() => sleepers.WakeAll();
}
