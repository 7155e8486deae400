using Mm.Core;

namespace Mm.Testing.Generators;

/// <summary>A space of owners of pages, and frames in it to append in two calls.</summary>
/// <param name="Space">The owners.</param>
/// <param name="Frames">The frames; in runs, some twice.</param>
/// <param name="Cut">How many frames the first call has, if there are so many.</param>
public sealed record FrameScript(RangeSpace Space, Pfn[] Frames, int Cut)
{
    /// <summary>The space and the frames.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Space}; append {string.Join(", ", Frames)} cut at {Cut}";
}
