using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>An upper bound of what a path carries in one direction, from the links on it.</summary>
/// <remarks>
/// The slowest link of the path; packet headers, congestion and the root complex itself are not counted.
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Bound">The slowest known link; <see langword="null"/> where none is known.</param>
/// <param name="SlowestAt">The function whose registers tell it; <see langword="null"/> where none is known.</param>
/// <param name="IsComplete">Whether every link of the path is known.</param>
/// <param name="Suspects">Functions whose link is slower than a tenth of a link below: an idle or virtual port's lie, as a rule.</param>
public sealed record PathBandwidth(
    LinkBandwidth? Bound, PciFunction? SlowestAt, bool IsComplete, IReadOnlyList<PciFunction> Suspects)
{
    /// <summary>The bound as <c>at most 15.754 GB/s (link of 0000:3b:00.0)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        if (Bound is not { } bound)
        {
            return "not known";
        }

        string part = IsComplete ? "" : ", some links are not known";
        string lie = Suspects.Count == 0 ? "" : $"; suspiciously slow: {string.Join(", ", Suspects.Select(s => s.Place))}";
        return $"at most {bound} one way (link of {SlowestAt!.Place}{part}{lie})";
    }
}
