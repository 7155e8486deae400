using System.Runtime.CompilerServices;

namespace Mm.Core.Tracing;

/// <summary>A machine's tracing: off until a sink is attached, and then every point reports to it.</summary>
/// <remarks>
/// Owns no events. Off costs one predictable branch at each point.
/// <para><b>Linux:</b> static keys and tracepoints (v6.12); all points together instead of one by one: a sink picks.</para>
/// <para><b>Locking:</b> safe from any thread; a sink attached while others emit sees events from some moment on.</para>
/// </remarks>
public sealed class Tracer
{
    private readonly MachineClock clock;
    private ITraceSink? sink; // atomic: null is off

    internal Tracer(MachineClock clock) => this.clock = clock;

    /// <summary>Whether a sink is attached.</summary>
    public bool IsOn => sink is not null;

    /// <summary>Sends events to a sink from now on.</summary>
    /// <param name="destination">The sink; null turns tracing off.</param>
    public void SendTo(ITraceSink? destination) => Volatile.Write(ref sink, destination);

    /// <summary>Reports an event, if anybody listens.</summary>
    /// <param name="point">Where it happens.</param>
    /// <param name="a">The first number.</param>
    /// <param name="b">The second number.</param>
    /// <param name="c">The third number.</param>
    /// <param name="d">The fourth number.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Emit(TracePoint point, ulong a = 0, ulong b = 0, ulong c = 0, ulong d = 0)
    {
        if (sink is { } destination)
        {
            EmitTo(destination, point, a, b, c, d);
        }
    }

    private void EmitTo(ITraceSink destination, TracePoint point, ulong a, ulong b, ulong c, ulong d)
    {
        var traceEvent = new TraceEvent(point, clock.NowNs, a, b, c, d);
        destination.Write(in traceEvent);
    }
}
