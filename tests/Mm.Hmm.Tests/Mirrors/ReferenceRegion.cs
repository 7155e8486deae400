namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Where a process knows a region to be.</summary>
/// <param name="Start">Its address; 0: it was never mapped.</param>
/// <param name="Pages">Its first size, which it keeps.</param>
/// <param name="IsWhole">Whether nothing has parted its area.</param>
internal readonly record struct ReferenceRegion(ulong Start, int Pages, bool IsWhole);
