namespace Mm.Hmm.Copying;

/// <summary>Frames that a job reads or writes, for the search of overlaps.</summary>
/// <remarks>Half-open. Immutable.</remarks>
/// <param name="Start">The first frame.</param>
/// <param name="End">The frame after the last.</param>
/// <param name="IsWritten">Whether they are written.</param>
internal readonly record struct PageUse(ulong Start, ulong End, bool IsWritten);
