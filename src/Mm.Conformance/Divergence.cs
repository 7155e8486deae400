namespace Mm.Conformance;

/// <summary>One operation on which Mm and the recorded kernel differ.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="File">The recording.</param>
/// <param name="Line">The line, from 1.</param>
/// <param name="Operation">The operation with its arguments.</param>
/// <param name="Expected">What the kernel answered.</param>
/// <param name="Got">What Mm answers.</param>
public sealed record Divergence(string File, long Line, string Operation, string Expected, string Got)
{
    /// <summary>The difference as <c>FILE:LINE: operation: expected x, got y</c>.</summary>
    /// <returns>The text, one line.</returns>
    public override string ToString() => $"{File}:{Line}: {Operation}: expected {Expected}, got {Got}";
}
