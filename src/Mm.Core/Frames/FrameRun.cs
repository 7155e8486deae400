namespace Mm.Core.Frames;

/// <summary>A run of frames, <c>[Start, End)</c>, that no list holds yet.</summary>
/// <remarks><c>default</c> is empty. Immutable.</remarks>
/// <param name="Start">The first frame's number.</param>
/// <param name="End">The number after the last frame's.</param>
internal readonly record struct FrameRun(ulong Start, ulong End)
{
    /// <summary>Whether a frame is in the run.</summary>
    internal bool Contains(ulong frame) => frame >= Start && frame < End;
}
