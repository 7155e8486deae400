namespace Mm.Testing.Interleavings;

/// <summary>What an exploration found.</summary>
/// <param name="Schedules">How many schedules ran.</param>
/// <param name="IsComplete">Whether every schedule within the bounds ran; false after a failure and at the bound on schedules.</param>
/// <param name="Failure">The failure, with as few interruptions as any failing schedule has; null when all held.</param>
public sealed record Exploration(long Schedules, bool IsComplete, InterleavingFailure? Failure)
{
    /// <summary>Throws unless every schedule ran and held.</summary>
    /// <returns>This exploration.</returns>
    /// <exception cref="InterleavingFailedException">A schedule failed.</exception>
    /// <exception cref="InvalidOperationException">None failed, but the bound on schedules was reached.</exception>
    public Exploration ThrowIfFailed()
    {
        if (Failure is not null)
        {
            throw new InterleavingFailedException(Failure, Schedules);
        }

        return IsComplete
            ? this
            : throw new InvalidOperationException($"the bound of {Schedules} schedules was reached before all had run");
    }
}
