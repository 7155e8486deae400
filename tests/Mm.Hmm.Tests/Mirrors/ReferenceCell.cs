namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Where words are kept; who shares memory shares the cell, and so does a pin with the process that pinned.</summary>
internal sealed class ReferenceCell(ReferenceWords words)
{
    internal ReferenceWords Words { get; set; } = words;
}
