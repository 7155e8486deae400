using Mm.Conformance.Recordings;

namespace Mm.Conformance;

/// <summary>A kind of recordings: how its files are known, and who replays them.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Name">The kind, as its folder is called: <c>p2p</c>.</param>
/// <param name="Recognizes">Whether a file of this folder with this first line is one.</param>
/// <param name="Create">Makes a replayer for one file.</param>
internal sealed record RecordingKind(
    string Name, Func<string, RecordingLine, bool> Recognizes, Func<RecordingInterpreter> Create)
{
    /// <summary>Operations that no other kind has: what tells a recording whose first line could be another kind's, wherever
    /// it lies.</summary>
    public IReadOnlyList<string> OwnOperations { get; init; } = [];
}
