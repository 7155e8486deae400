using Mm.Core.Checks;

namespace Mm.Testing.Interleavings;

/// <summary>Plays one schedule after another: hands the baton to the actor that the caller chooses and asks what must hold.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) at most one actor runs at any time; (2) when <see cref="Play"/> returns, no actor of its
/// scenario runs or will run.</para>
/// <para><b>Locking:</b> used by one exploring thread; actors enter through <see cref="Reach"/> and
/// <see cref="WaitUntil"/> while they hold the baton.</para>
/// </remarks>
internal sealed class Stage(int maxSteps, TimeSpan patience) : IYieldPoints, IDisposable
{
    private readonly List<ActorThread> threads = [];
    private readonly List<ScheduleStep> steps = [];
    private int count;
    private ActorThread? running;

    /// <summary>Chooses who goes on: the ready actors (never none) and who ran last (-1: nobody), to the actor.</summary>
    internal delegate int Choose(IReadOnlyList<int> ready, int last, Func<int, ScheduleStep> stepOf);

    /// <inheritdoc/>
    public void Reach(string point) => running?.Pause(point, condition: null);

    /// <inheritdoc/>
    public void WaitUntil(string point, Func<bool> isReady)
    {
        if (running is not null)
        {
            running.Pause(point, isReady);
            return;
        }

        if (!isReady())
        {
            throw new InvalidOperationException($"the set-up waits at {point}, and no actor is there to end the wait");
        }
    }

    /// <summary>Runs one schedule of a fresh scenario.</summary>
    /// <returns>The failure, or null when all held.</returns>
    internal InterleavingFailure? Play(Func<IYieldPoints, Scenario> factory, Choose choose)
    {
        steps.Clear();
        Scenario scenario = factory(this);
        Cast(scenario);
        try
        {
            return Ask(scenario.Invariants) ?? PlayActors(scenario, choose) ?? Ask(scenario.Outcomes);
        }
        finally
        {
            StopAll();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ActorThread thread in threads)
        {
            thread.Dispose();
        }
    }

    private InterleavingFailure? PlayActors(Scenario scenario, Choose choose)
    {
        int last = -1;
        while (true)
        {
            List<int> ready = [.. Enumerable.Range(0, count).Where(index => threads[index].IsReady)];
            if (ready.Count == 0)
            {
                return threads.Take(count).All(thread => thread.IsFinished) ? null : Deadlock();
            }

            if (steps.Count == maxSteps)
            {
                return Fail(FailureKind.Endless, $"no end after {maxSteps} steps", cause: null);
            }

            last = choose(ready, last, index => new ScheduleStep(threads[index].Name, threads[index].Point));
            InterleavingFailure? failure = PlayStep(threads[last]) ?? Ask(scenario.Invariants);
            if (failure is not null)
            {
                return failure;
            }
        }
    }

    private InterleavingFailure? PlayStep(ActorThread actor)
    {
        steps.Add(new ScheduleStep(actor.Name, actor.Point));
        running = actor;
        actor.Step(patience);
        running = null;
        return actor.Thrown is null
            ? null
            : Fail(FailureKind.Threw, $"{actor.Name} threw {actor.Thrown.GetType().Name}: {actor.Thrown.Message}", actor.Thrown);
    }

    private InterleavingFailure? Ask(IReadOnlyList<KeyValuePair<string, Func<bool>>> questions)
    {
        foreach ((string name, Func<bool> holds) in questions)
        {
            try
            {
                if (!holds())
                {
                    return Fail(FailureKind.Broken, name, cause: null);
                }
            }
#pragma warning disable CA1031 // An assertion of any library may be what fails.
            catch (Exception thrown)
#pragma warning restore CA1031
            {
                return Fail(FailureKind.Broken, $"{name}: {thrown.Message}", thrown);
            }
        }

        return null;
    }

    private InterleavingFailure Deadlock()
    {
        IEnumerable<string> waiting = threads.Take(count).Where(thread => !thread.IsFinished)
            .Select(thread => $"{thread.Name} waits at {thread.Point}");
        return Fail(FailureKind.Deadlock, string.Join(", ", waiting), cause: null);
    }

    private InterleavingFailure Fail(FailureKind kind, string message, Exception? cause) =>
        new InterleavingFailure(kind, message, new Schedule(steps), cause);

    private void Cast(Scenario scenario)
    {
        count = scenario.Actors.Count;
        while (threads.Count < count)
        {
            threads.Add(new ActorThread(threads.Count));
        }

        for (int index = 0; index < count; index++)
        {
            threads[index].Take(scenario.Actors[index].Key, scenario.Actors[index].Value);
        }
    }

    private void StopAll()
    {
        // Still set only when a step ran out of patience: that thread is lost, and the exploration with it.
        ActorThread? lost = running;
        foreach (ActorThread thread in threads.Take(count).Where(thread => thread != lost))
        {
            running = thread;
            thread.Stop(patience);
        }

        running = null;
    }
}
