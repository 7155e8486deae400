namespace Mm.P2pDma.Importers;

/// <summary>A place in an imported file: <c>FILE:LINE:COL</c>.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) line and column count from 1; 0 means that the place is the file as a whole.</para>
/// <para><c>default</c> is a whole file without a name. Immutable.</para>
/// </remarks>
/// <param name="File">The name that the caller gave; for a member of an archive the archive's name, <c>!</c> and the member's.</param>
/// <param name="Line">The line, from 1; 0 for the whole file.</param>
/// <param name="Column">The character in the line, from 1; 0 for the whole line. In binary files the byte offset, from 1, in line 1.</param>
public readonly record struct ImportPosition(string File, int Line, int Column)
{
    /// <summary>The place as <c>FILE:LINE:COL</c>, as compilers print it.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Line == 0 ? File ?? "" : $"{File}:{Line}:{Column}";
}
