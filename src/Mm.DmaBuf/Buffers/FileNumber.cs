namespace Mm.DmaBuf.Buffers;

/// <summary>The number by which one process knows an open file.</summary>
/// <remarks>
/// <b>Linux:</b> a file descriptor (v6.12). <c>default</c> is number 0, which may be open. Immutable.
/// </remarks>
/// <param name="Value">The number.</param>
public readonly record struct FileNumber(int Value)
{
    /// <summary>The number.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"file {Value}";
}
