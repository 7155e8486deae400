using System.Diagnostics.CodeAnalysis;

namespace Mm.Conformance.Recordings;

/// <summary>Carries a <see cref="RecordingError"/> from the depths of a parser to the runner, which reports it as a value.</summary>
/// <remarks>Never leaves the runner.</remarks>
/// <param name="error">The error.</param>
[SuppressMessage("Design", "CA1064:Exceptions should be public", Justification = "the runner lets none out")]
internal sealed class RecordingFormatException(RecordingError error) : Exception(error.ToString())
{
    /// <summary>The error.</summary>
    public RecordingError Error { get; } = error;
}
