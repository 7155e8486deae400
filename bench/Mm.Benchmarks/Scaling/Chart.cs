namespace Mm.Benchmarks.Scaling;

/// <summary>What is shown to depend on a size, or not to.</summary>
/// <param name="Name">The name of its file.</param>
/// <param name="Title">What it shows.</param>
/// <param name="Size">What the size is of.</param>
/// <param name="Sizes">The sizes, ascending.</param>
/// <param name="Curves">What is measured at each.</param>
internal sealed record Chart(string Name, string Title, string Size, IReadOnlyList<ulong> Sizes, IReadOnlyList<Curve> Curves)
{
    /// <summary>Whether sizes are bytes, so that they are told in GiB and TiB.</summary>
    public bool IsInBytes { get; init; }

    /// <summary>A size in words.</summary>
    /// <param name="size">The size.</param>
    /// <returns>As <c>16 TiB</c> or <c>10000</c>.</returns>
    public string Tell(ulong size) =>
        !IsInBytes ? $"{size}" : size >= 1UL << 40 ? $"{size >> 40} TiB" : $"{size >> 30} GiB";
}
