namespace Mm.P2pDma.Importers;

/// <summary>Something that a user should know about an imported machine: what was inferred, what the format cannot say, what looks odd.</summary>
/// <remarks>Never a reason to refuse: that is an <see cref="ImportError"/>. Immutable.</remarks>
/// <param name="Position">Where in the file; line 0 for the file as a whole.</param>
/// <param name="Text">What, in one line.</param>
public sealed record ImportNote(ImportPosition Position, string Text)
{
    /// <summary>The note as <c>FILE:LINE:COL: note: text</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Position}: note: {Text}";
}
