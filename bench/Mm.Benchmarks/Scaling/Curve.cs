namespace Mm.Benchmarks.Scaling;

/// <summary>One line of a chart.</summary>
/// <param name="Name">What was done.</param>
/// <param name="Measure">One repetition at a size: nanoseconds an operation.</param>
internal sealed record Curve(string Name, Func<ulong, double> Measure);
