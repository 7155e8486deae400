namespace Mm.Testing.Interleavings;

/// <summary>What one schedule runs: fresh state, the actors that share it, and what must hold.</summary>
/// <remarks>
/// The explorer makes one through the caller's factory for each schedule, so that nothing survives from one to the next.
/// Owns nothing: the state lives in the closures.
/// <para><b>Locking:</b> none; built on one thread. Actors run on threads of their own, one at a time.</para>
/// </remarks>
public sealed class Scenario
{
    private readonly List<KeyValuePair<string, Action>> actors = [];
    private readonly List<KeyValuePair<string, Func<bool>>> invariants = [];
    private readonly List<KeyValuePair<string, Func<bool>>> outcomes = [];

    /// <summary>The actors, in the order in which they were added.</summary>
    internal IReadOnlyList<KeyValuePair<string, Action>> Actors => actors;

    /// <summary>What must hold after each step.</summary>
    internal IReadOnlyList<KeyValuePair<string, Func<bool>>> Invariants => invariants;

    /// <summary>What must hold when all actors have ended.</summary>
    internal IReadOnlyList<KeyValuePair<string, Func<bool>>> Outcomes => outcomes;

    /// <summary>Adds an actor: code that runs on its own thread and is interrupted at its yield points alone.</summary>
    /// <param name="name">Its name in schedules: not empty, no space, comma or <c>@</c>, not used before.</param>
    /// <param name="body">What it does. An exception that leaves it fails the schedule.</param>
    /// <returns>This scenario.</returns>
    /// <exception cref="ArgumentException">The name is not fit, or is taken.</exception>
    public Scenario Actor(string name, Action body)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(body);
        if (name.AsSpan().IndexOfAny(" ,@") >= 0 || actors.Exists(actor => actor.Key == name))
        {
            throw new ArgumentException($"an actor's name must be unique and without space, comma or '@'; got '{name}'", nameof(name));
        }

        actors.Add(new KeyValuePair<string, Action>(name, body));
        return this;
    }

    /// <summary>Adds an invariant: asked at the start and after each step of any actor.</summary>
    /// <param name="name">What it says, for the report.</param>
    /// <param name="holds">Whether it holds; an exception counts as a failure with its message.</param>
    /// <returns>This scenario.</returns>
    public Scenario Always(string name, Func<bool> holds)
    {
        invariants.Add(new KeyValuePair<string, Func<bool>>(name, holds));
        return this;
    }

    /// <summary>Adds an outcome: asked once, after the last actor ended.</summary>
    /// <param name="name">What it says, for the report.</param>
    /// <param name="holds">Whether it holds; an exception counts as a failure with its message.</param>
    /// <returns>This scenario.</returns>
    public Scenario Finally(string name, Func<bool> holds)
    {
        outcomes.Add(new KeyValuePair<string, Func<bool>>(name, holds));
        return this;
    }
}
