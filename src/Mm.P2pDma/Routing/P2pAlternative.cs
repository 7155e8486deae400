using Mm.Core.PhysRanges;

namespace Mm.P2pDma.Routing;

/// <summary>What an uncertain verdict turns into, should the missing facts be so.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Assumption">How the missing facts would have to be.</param>
/// <param name="Kind">The verdict then.</param>
public sealed record P2pAlternative(string Assumption, P2pMapKind Kind)
{
    /// <summary>The alternative as <c>if no such port redirects: bus address</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"if {Assumption}: {P2pVerdict.NameOf(Kind)}";
}
