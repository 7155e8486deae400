using Mm.Core.Checks;

namespace Mm.Testing.Interleavings;

/// <summary>Runs a scenario of two to four actors in every order that its yield points allow, and reports the order that breaks it.</summary>
/// <remarks>
/// A race is shown by running all interleavings, not by sleeping and hoping. Actors are ordinary code on threads of
/// their own; the explorer passes a baton, so that exactly one runs at a time, and takes it back at each
/// <see cref="IYieldPoints"/> point. The search is depth first over the choices "who goes on now"; each schedule starts
/// from a fresh scenario and replays its choices, so scenarios must be deterministic.
/// <para>Not responsible for weak memory: between two points an actor's accesses are seen in program order. That a
/// plain read may be reordered is shown by naming a point at each access that another actor may see.</para>
/// <para>The count is exact: actors with s1, s2 … steps (one more than the points that each reaches) and no waits have
/// (s1+s2+…)! / (s1!·s2!·…) schedules.</para>
/// <code>
/// var result = new Explorer().Explore(points =>
/// {
///     var counter = new Counter(points);
///     return new Scenario()
///         .Actor("a", counter.Increment)
///         .Actor("b", counter.Increment)
///         .Finally("both counted", () => counter.Value == 2);
/// });
/// result.ThrowIfFailed();
/// </code>
/// <para><b>Locking:</b> immutable; each call has threads of its own.</para>
/// </remarks>
public sealed class Explorer
{
    /// <summary>How many schedules run at most; beyond it the exploration is not complete.</summary>
    public long MaxSchedules { get; init; } = 1_000_000;

    /// <summary>How often an actor may be interrupted though it could go on; null for any number.</summary>
    /// <remarks>Most races need one or two interruptions; the bound keeps long actors affordable.</remarks>
    public int? MaxInterruptions { get; init; }

    /// <summary>How many steps one schedule may have before it counts as endless.</summary>
    public int MaxSteps { get; init; } = 10_000;

    /// <summary>How long a single step may take before the exploration gives up on it: a real lock or wait that is no yield point.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Runs every schedule within the bounds, up to the first that fails.</summary>
    /// <param name="factory">Makes the scenario with fresh state; hands the points to the code under test.</param>
    /// <returns>How many ran and what failed, told by a schedule with the fewest interruptions that shows it.</returns>
    /// <exception cref="InvalidOperationException">The scenario is not deterministic.</exception>
    /// <exception cref="TimeoutException">An actor blocks outside of its yield points.</exception>
    public Exploration Explore(Func<IYieldPoints, Scenario> factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        using var stage = new Stage(MaxSteps, Patience);
        Exploration found = new Search(stage, factory, MaxInterruptions, MaxSchedules).Run();
        return found.Failure is null ? found : found with { Failure = Simplest(stage, factory) ?? found.Failure };
    }

    /// <summary>Runs one schedule again, as a failure printed it.</summary>
    /// <param name="factory">Makes the scenario with fresh state, as for <see cref="Explore"/>.</param>
    /// <param name="schedule">The steps; after the last one the first ready actor goes on until all have ended.</param>
    /// <returns>The failure, or null when all held.</returns>
    /// <exception cref="ArgumentException">The schedule names a step that is not open when its turn comes.</exception>
    public InterleavingFailure? Replay(Func<IYieldPoints, Scenario> factory, Schedule schedule)
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentNullException.ThrowIfNull(schedule);
        using var stage = new Stage(MaxSteps, Patience);
        int next = 0;
        return stage.Play(factory, (ready, _, stepOf) =>
        {
            if (next == schedule.Steps.Count)
            {
                return ready[0];
            }

            ScheduleStep wanted = schedule.Steps[next++];
            foreach (int actor in ready.Where(actor => stepOf(actor) == wanted))
            {
                return actor;
            }

            string open = string.Join(", ", ready.Select(actor => stepOf(actor)));
            throw new ArgumentException($"step {next} is {wanted}, but open are: {open}", nameof(schedule));
        });
    }

    // A failing schedule of depth-first order may have many idle interruptions; the bounded searches are small.
    private InterleavingFailure? Simplest(Stage stage, Func<IYieldPoints, Scenario> factory)
    {
        for (int bound = 0; bound < (MaxInterruptions ?? 4); bound++)
        {
            Exploration found = new Search(stage, factory, bound, MaxSchedules).Run();
            if (found.Failure is not null)
            {
                return found.Failure;
            }
        }

        return null;
    }
}
