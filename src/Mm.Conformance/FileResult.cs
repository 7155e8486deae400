using Mm.Conformance.Recordings;

namespace Mm.Conformance;

/// <summary>What replaying one recording gave.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="File">The recording, as it was named.</param>
/// <param name="Programs">How many programs it holds; for peer-to-peer recordings, configs.</param>
/// <param name="Operations">How many operations were replayed.</param>
/// <param name="Divergences">How many of them differ.</param>
public sealed record FileResult(string File, long Programs, long Operations, long Divergences)
{
    /// <summary>The first differences.</summary>
    public IReadOnlyList<Divergence> First { get; init; } = [];

    /// <summary>Why it could not be read to its end; <see langword="null"/> where it could.</summary>
    public RecordingError? Error { get; init; }

    /// <summary>The result as <c>FILE: programs=P operations=N divergences=D</c>.</summary>
    /// <returns>The text, one line.</returns>
    public override string ToString() => $"{File}: programs={Programs} operations={Operations} divergences={Divergences}";
}
