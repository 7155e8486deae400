using Mm.Core;

namespace Mm.Testing.Generators;

/// <summary>A space of owners, and ranges in it to append one after the other.</summary>
/// <param name="Space">The owners.</param>
/// <param name="Ranges">The ranges; some empty, some touching, some twice.</param>
public sealed record RangeScript(RangeSpace Space, PhysRange[] Ranges)
{
    /// <summary>The space and the ranges.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Space}; append {string.Join(", ", Ranges)}";
}
