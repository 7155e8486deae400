using Mm.Core;
using Mm.Core.Checks;

namespace Mm.DmaBuf.Tests;

/// <summary>Ends waits by letting time pass on the waiting thread itself: no second thread, no sleeping, each run the same.</summary>
internal sealed class SteppingPoints : IYieldPoints
{
    /// <summary>The clock to advance, one nanosecond at a time.</summary>
    public MachineClock? Clock { get; set; }

    /// <summary>What happens at each nanosecond.</summary>
    public Action<ulong> Tick { get; set; } = _ => { };

    /// <summary>How many waits there were.</summary>
    public int Waits { get; private set; }

    public void Reach(string point)
    {
    }

    public void WaitUntil(string point, Func<bool> isReady)
    {
        Waits++;
        while (!isReady())
        {
            Clock!.AdvanceNs(1);
            Tick(Clock.NowNs);
        }
    }
}
