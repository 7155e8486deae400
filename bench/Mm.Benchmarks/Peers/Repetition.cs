namespace Mm.Benchmarks.Peers;

/// <summary>One repetition of a workload.</summary>
/// <param name="Figure">What was measured, in the goal's unit; nanoseconds an operation as a rule.</param>
/// <param name="Checksum">Of the results, so that two sides can be shown to do the same work; 0 where there is none.</param>
internal readonly record struct Repetition(double Figure, ulong Checksum)
{
    /// <summary>The same beside a side that has no checksum to compare.</summary>
    internal Repetition Uncounted() => this with { Checksum = 0 };
}
