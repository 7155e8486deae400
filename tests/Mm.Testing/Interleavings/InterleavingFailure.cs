namespace Mm.Testing.Interleavings;

/// <summary>A schedule that failed, and what a reader needs to see it again.</summary>
/// <param name="Kind">How it failed.</param>
/// <param name="Message">What did not hold, who threw, or who waits for what.</param>
/// <param name="Schedule">The steps up to the failure.</param>
/// <param name="Cause">The exception behind it, if there is one.</param>
public sealed record InterleavingFailure(FailureKind Kind, string Message, Schedule Schedule, Exception? Cause)
{
    /// <summary>The failure and the schedule to replay.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Kind}: {Message}\nschedule: {Schedule}";
}
