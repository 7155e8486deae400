using Mm.Conformance.Recordings;

namespace Mm.Conformance.Tests.Hmm;

/// <summary>One program of a kept recording.</summary>
/// <param name="Header">Its first line.</param>
/// <param name="Lines">Its operations, without header and end.</param>
internal sealed record KeptProgram(string Header, IReadOnlyList<RecordingLine> Lines);
