using System.Runtime.CompilerServices;

namespace Mm.Core;

/// <summary>Makes the n-th call at a named place fail, so that every way out of an operation can be walked.</summary>
/// <remarks>
/// Owns plans and counts by <see cref="FaultPoint"/>. Decides nothing about what a refusal looks like: the room that asks
/// answers its usual <see cref="Errno"/>.
/// <para><b>Linux:</b> lib/fault-inject.c and /proc/PID/fail-nth (v6.12); by point and machine instead of by task.</para>
/// <para><b>States:</b> off (nothing planned, nothing counted) ↔ on. Off costs one predictable branch.</para>
/// <para><b>Invariants:</b> (1) calls are counted from the moment a point is first planned or watched; (2) the same plans
/// and the same calls fail the same calls.</para>
/// <para><b>Locking:</b> safe from any thread; a lock of its own when on, and nobody is called with it held.</para>
/// </remarks>
public sealed class FaultInjector
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Plan> plans = []; // protected by gate
    private bool isOn; // written under gate; read without, as a hint that gate confirms

    internal FaultInjector()
    {
    }

    /// <summary>Whether any point is planned or watched.</summary>
    public bool IsOn => Volatile.Read(ref isOn);

    /// <summary>Plans failures.</summary>
    /// <param name="point">Where.</param>
    /// <param name="nth">Which call from now is the first to fail: 1 is the next.</param>
    /// <param name="count">How many calls fail from there on, one after the other.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="nth"/> or <paramref name="count"/> is zero.</exception>
    public void FailNth(FaultPoint point, ulong nth, ulong count = 1)
    {
        ArgumentOutOfRangeException.ThrowIfZero(nth);
        ArgumentOutOfRangeException.ThrowIfZero(count);
        lock (gate)
        {
            Plan plan = PlanFor(point);
            plan.FirstFailing = plan.Calls + nth;
            plan.Failing = count;
        }
    }

    /// <summary>Counts the calls at a point without failing any, to learn how many there are to fail.</summary>
    /// <param name="point">Where.</param>
    public void Watch(FaultPoint point)
    {
        lock (gate)
        {
            _ = PlanFor(point);
        }
    }

    /// <summary>How many calls a point has seen since it was planned or watched.</summary>
    /// <param name="point">Where.</param>
    /// <returns>The calls; 0 when it is neither.</returns>
    public ulong CallCount(FaultPoint point)
    {
        lock (gate)
        {
            return plans.TryGetValue(point.Name, out Plan? plan) ? plan.Calls : 0;
        }
    }

    /// <summary>How many calls a point has failed since it was planned.</summary>
    /// <param name="point">Where.</param>
    /// <returns>The failures; 0 when it was never planned.</returns>
    public ulong FailureCount(FaultPoint point)
    {
        lock (gate)
        {
            return plans.TryGetValue(point.Name, out Plan? plan) ? plan.Failures : 0;
        }
    }

    /// <summary>Forgets plans and counts, and turns the injector off.</summary>
    public void Clear()
    {
        lock (gate)
        {
            plans.Clear();
            Volatile.Write(ref isOn, false);
        }
    }

    /// <summary>Whether this call at a point is to be refused. Counts the call.</summary>
    /// <param name="point">Where.</param>
    /// <returns>Whether to refuse.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool ShouldFail(FaultPoint point) => isOn && ShouldFailSlowly(point);

    private bool ShouldFailSlowly(FaultPoint point)
    {
        lock (gate)
        {
            if (!plans.TryGetValue(point.Name, out Plan? plan))
            {
                return false;
            }

            plan.Calls++;
            if (plan.Failing == 0 || plan.Calls < plan.FirstFailing)
            {
                return false;
            }

            plan.Failing--;
            plan.Failures++;
            return true;
        }
    }

    private Plan PlanFor(FaultPoint point)
    {
        ArgumentException.ThrowIfNullOrEmpty(point.Name, nameof(point));
        if (!plans.TryGetValue(point.Name, out Plan? plan))
        {
            plan = new Plan();
            plans.Add(point.Name, plan);
        }

        Volatile.Write(ref isOn, true);
        return plan;
    }

    private sealed class Plan
    {
        internal ulong Calls { get; set; }

        internal ulong FirstFailing { get; set; }

        internal ulong Failing { get; set; }

        internal ulong Failures { get; set; }
    }
}
