namespace Mm.Testing.Interleavings;

/// <summary>Some schedule of a scenario failed; the message holds the schedule to replay.</summary>
/// <param name="failure">The failure.</param>
/// <param name="schedules">How many schedules ran, the failing one included.</param>
public sealed class InterleavingFailedException(InterleavingFailure failure, long schedules)
    : Exception($"schedule {schedules} failed. {failure}", failure.Cause)
{
    /// <summary>The failure.</summary>
    public InterleavingFailure Failure { get; } = failure;
}
