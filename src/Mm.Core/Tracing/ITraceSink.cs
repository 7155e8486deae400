namespace Mm.Core.Tracing;

/// <summary>Where a machine's events go.</summary>
/// <remarks>
/// <para><b>Locking:</b> called from any thread, perhaps with locks of the machine held: it must not block, must not
/// throw, and must not call the machine.</para>
/// </remarks>
public interface ITraceSink
{
    /// <summary>Takes an event.</summary>
    /// <param name="traceEvent">The event.</param>
    void Write(in TraceEvent traceEvent);
}
