namespace Mm.Core.Tracing;

/// <summary>A sink that keeps the newest events and counts the ones it had to drop.</summary>
/// <remarks>
/// Owns a fixed number of slots; writing allocates nothing.
/// <para><b>Linux:</b> the ring buffer of ftrace in overwrite mode (v6.12), one for all CPUs.</para>
/// <para><b>Invariants:</b> (1) <see cref="Snapshot"/> is in the order of writing; (2) kept plus lost is all that was written.</para>
/// <para><b>Locking:</b> a lock of its own; safe from any thread, and a leaf: nobody is called with it held.</para>
/// </remarks>
public sealed class TraceRing : ITraceSink
{
    private readonly Lock gate = new();
    private readonly TraceEvent[] slots;
    private ulong written; // protected by gate

    /// <summary>Makes a ring.</summary>
    /// <param name="capacity">How many events it keeps; above zero.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is not above zero.</exception>
    public TraceRing(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        slots = new TraceEvent[capacity];
    }

    /// <summary>How many events it keeps at most.</summary>
    public int Capacity => slots.Length;

    /// <summary>How many events were overwritten by newer ones.</summary>
    public ulong Lost
    {
        get
        {
            lock (gate)
            {
                return written <= (ulong)slots.Length ? 0 : written - (ulong)slots.Length;
            }
        }
    }

    /// <inheritdoc/>
    public void Write(in TraceEvent traceEvent)
    {
        lock (gate)
        {
            slots[(int)(written % (ulong)slots.Length)] = traceEvent;
            written++;
        }
    }

    /// <summary>The events kept, oldest first.</summary>
    /// <returns>A copy of them.</returns>
    public IReadOnlyList<TraceEvent> Snapshot()
    {
        lock (gate)
        {
            ulong length = (ulong)slots.Length;
            ulong first = written <= length ? 0 : written - length;
            var events = new TraceEvent[(int)(written - first)];
            for (int i = 0; i < events.Length; i++)
            {
                events[i] = slots[(int)((first + (ulong)i) % length)];
            }

            return events;
        }
    }
}
