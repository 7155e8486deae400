using Mm.Core;

namespace Mm.Testing.Generators;

/// <summary>Disjoint ranges, none empty, in ascending order.</summary>
/// <param name="Ranges">The ranges.</param>
public sealed record DisjointRanges(PhysRange[] Ranges)
{
    /// <summary>The ranges.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => string.Join(", ", Ranges);
}
