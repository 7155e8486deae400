namespace Mm.Core;

/// <summary>A machine's time: it stands still until somebody advances it.</summary>
/// <remarks>
/// Owns one number. Is not responsible for what should happen at a time: whoever advances the clock does that next, or
/// listens to <see cref="Advanced"/>.
/// <para><b>Linux:</b> ktime_get (v6.12), without the hardware behind it.</para>
/// <para><b>Invariants:</b> (1) never goes back.</para>
/// <para><b>Locking:</b> atomic; safe from any thread.</para>
/// </remarks>
public sealed class MachineClock
{
    private ulong nowNs;

    internal MachineClock()
    {
    }

    /// <summary>Time has passed: raised by the thread that advanced the clock, with no lock of Mm held by the clock.</summary>
    /// <remarks>How waits with a time-out end. A handler looks at <see cref="NowNs"/>: two advances may be told in any order.</remarks>
    public event EventHandler? Advanced;

    /// <summary>Nanoseconds since the machine was built.</summary>
    public ulong NowNs => Volatile.Read(ref nowNs);

    /// <summary>Lets time pass.</summary>
    /// <param name="durationNs">How many nanoseconds.</param>
    /// <exception cref="OverflowException">The clock would pass 2^64-1 ns, some 584 years.</exception>
    public void AdvanceNs(ulong durationNs)
    {
        ulong before;
        do
        {
            before = NowNs;
        }
        while (Interlocked.CompareExchange(ref nowNs, before + durationNs, before) != before);

        Advanced?.Invoke(this, EventArgs.Empty);
    }

    /// <summary>The time as <c>12.000000345 s</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        ulong now = NowNs;
        return $"{now / 1_000_000_000}.{now % 1_000_000_000:d9} s";
    }
}
