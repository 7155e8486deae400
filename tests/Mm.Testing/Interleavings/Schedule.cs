namespace Mm.Testing.Interleavings;

/// <summary>An order of steps, as the explorer prints it and as <see cref="Explorer.Replay"/> takes it back.</summary>
/// <remarks>
/// Text form: <c>actor@point, actor@point</c>. A schedule may be the beginning of a run: whoever replays it lets the
/// first ready actor go on after its end.
/// <para>Immutable.</para>
/// </remarks>
public sealed class Schedule
{
    private readonly ScheduleStep[] steps;

    internal Schedule(IEnumerable<ScheduleStep> steps) => this.steps = [.. steps];

    /// <summary>The steps, first to last.</summary>
    public IReadOnlyList<ScheduleStep> Steps => steps;

    /// <summary>Reads a schedule from its text form.</summary>
    /// <param name="text">Steps as <c>actor@point</c>, separated by commas; white space around them is dropped.</param>
    /// <returns>The schedule.</returns>
    /// <exception cref="FormatException">A step is not of the form <c>actor@point</c>.</exception>
    public static Schedule Parse(string text)
    {
        var parsed = new List<ScheduleStep>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int at = part.IndexOf('@', StringComparison.Ordinal);
            if (at <= 0 || at == part.Length - 1)
            {
                throw new FormatException($"a step must read actor@point; got '{part}'");
            }

            parsed.Add(new ScheduleStep(part[..at], part[(at + 1)..]));
        }

        return new Schedule(parsed);
    }

    /// <summary>The steps as <c>actor@point, actor@point</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => string.Join(", ", steps);
}
