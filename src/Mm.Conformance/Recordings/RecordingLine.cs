namespace Mm.Conformance.Recordings;

/// <summary>One line of a recording, and where it stands.</summary>
/// <remarks>Immutable; <c>default</c> is no line.</remarks>
/// <param name="File">The file.</param>
/// <param name="Number">The line, from 1.</param>
/// <param name="Text">The text without its line end.</param>
public readonly record struct RecordingLine(string File, long Number, string Text)
{
    private const string Separator = " = ";

    /// <summary>The operation with its arguments: what stands before <c>=</c>.</summary>
    public ReadOnlySpan<char> Operation
    {
        get
        {
            int at = SeparatorAt;
            return at < 0 ? Text : Text.AsSpan(0, at);
        }
    }

    /// <summary>The recorded outcome: what stands after <c>=</c>; empty where the line has none.</summary>
    public ReadOnlySpan<char> Outcome
    {
        get
        {
            int at = SeparatorAt;
            return at < 0 ? default : Text.AsSpan(at + Separator.Length);
        }
    }

    /// <summary>Whether the line has an outcome, and so is an operation to replay.</summary>
    public bool HasOutcome => SeparatorAt >= 0;

    private int SeparatorAt => Text.IndexOf(Separator, StringComparison.Ordinal);

    /// <summary>A reader of the operation's words, the name first.</summary>
    internal RecordingWords Words() => new(this, Operation.Length);
}
