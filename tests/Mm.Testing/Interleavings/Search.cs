using Mm.Core.Checks;

namespace Mm.Testing.Interleavings;

/// <summary>One depth-first search over the choices of a scenario.</summary>
/// <remarks>Owns the path of decisions; the stage belongs to the caller. <b>Locking:</b> one thread.</remarks>
internal sealed class Search(Stage stage, Func<IYieldPoints, Scenario> factory, int? maxInterruptions, long maxSchedules)
{
    private readonly List<Decision> path = [];
    private int depth;
    private int interruptions;

    /// <summary>Runs schedules until one fails, all have run, or the bound is reached.</summary>
    internal Exploration Run()
    {
        for (long schedules = 1; ; schedules++)
        {
            depth = 0;
            interruptions = 0;
            InterleavingFailure? failure = stage.Play(factory, Choose);
            if (failure is not null)
            {
                return new Exploration(schedules, IsComplete: false, failure);
            }

            if (!TryBacktrack())
            {
                return new Exploration(schedules, IsComplete: true, Failure: null);
            }

            if (schedules == maxSchedules)
            {
                return new Exploration(schedules, IsComplete: false, Failure: null);
            }
        }
    }

    private int Choose(IReadOnlyList<int> ready, int last, Func<int, ScheduleStep> stepOf)
    {
        bool canGoOn = ready.Contains(last);
        IReadOnlyList<int> options = Options(ready, last, canGoOn);
        if (depth == path.Count)
        {
            path.Add(new Decision(options));
        }
        else if (!path[depth].Options.SequenceEqual(options))
        {
            string open = string.Join(", ", ready.Select(stepOf));
            throw new InvalidOperationException(
                $"the scenario is not deterministic: step {depth + 1} had other actors ready before; now open: {open}");
        }

        Decision decision = path[depth++];
        int chosen = decision.Options[decision.Taken];
        interruptions += canGoOn && chosen != last ? 1 : 0;
        return chosen;
    }

    private IReadOnlyList<int> Options(IReadOnlyList<int> ready, int last, bool canGoOn)
    {
        if (!canGoOn)
        {
            return ready;
        }

        return interruptions == maxInterruptions ? [last] : [last, .. ready.Where(actor => actor != last)];
    }

    private bool TryBacktrack()
    {
        while (path.Count > 0 && !path[^1].TryAdvance())
        {
            path.RemoveAt(path.Count - 1);
        }

        return path.Count > 0;
    }
}
