namespace Mm.Conformance;

/// <summary>What replaying recordings gave, by file and in total.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Files">The results, in the order of replay.</param>
public sealed record ConformanceReport(IReadOnlyList<FileResult> Files)
{
    /// <summary>The sums over all files, under the name <c>total</c>.</summary>
    public FileResult Total => new(
        "total",
        Files.Sum(file => file.Programs),
        Files.Sum(file => file.Operations),
        Files.Sum(file => file.Divergences));

    /// <summary>Whether every file could be read to its end.</summary>
    public bool IsReadable => Files.All(file => file.Error is null);

    /// <summary>What a tool exits with: 0 no difference, 1 some, 2 something could not be read.</summary>
    public int ExitCode => !IsReadable ? 2 : Total.Divergences > 0 ? 1 : 0;
}
