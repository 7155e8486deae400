namespace Mm.Core.Checks;

/// <summary>The named points at which code under test lets other threads run: what makes a race a thing one can replay.</summary>
/// <remarks>
/// Code whose correctness depends on an order of steps keeps an optional <see cref="IYieldPoints"/> and calls
/// <c>points?.Reach("after the load")</c> between the steps. In production the field is null, which costs one branch
/// that is never taken; in tests the interleaving explorer of Mm.Testing implements it and tries every order.
/// Not responsible for locking: a point is a place where a thread switch may happen, never one where it must not.
/// <para><b>Linux:</b> none; Linux has the same need met by KCSAN's delays and by litmus tests, which do not replay.</para>
/// <para><b>Locking:</b> an implementation is called from any thread and may block its caller; nothing that the
/// scenario's other actors need may be held by a lock that the explorer does not see, see <see cref="WaitUntil"/>.</para>
/// </remarks>
public interface IYieldPoints
{
    /// <summary>Says that the calling thread stands at a point, and lets others run.</summary>
    /// <param name="point">The point's name, unique in its method; no spaces.</param>
    void Reach(string point);

    /// <summary>Stands at a point until a condition holds: how a lock or a wait for the last reference is modelled.</summary>
    /// <param name="point">The point's name, unique in its method; no spaces.</param>
    /// <param name="isReady">The condition; free of side effects, called while no other actor runs.</param>
    void WaitUntil(string point, Func<bool> isReady);
}
