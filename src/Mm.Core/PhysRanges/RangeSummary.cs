namespace Mm.Core.PhysRanges;

/// <summary>What a mapper asks of a whole list before it maps it: does it fit the device's mask, its segments, its alignment?</summary>
/// <remarks><c>default</c> describes the list without bytes. Immutable.</remarks>
/// <param name="LowestByte">The lowest address; 0 for no bytes.</param>
/// <param name="HighestByte">The highest address, that of a byte; 0 for no bytes.</param>
/// <param name="LongestRange">The length of the longest range.</param>
/// <param name="CommonAlignment">The largest power of two of which every start and length is a multiple; zero for no
/// bytes, and 2^63 at most.</param>
public readonly record struct RangeSummary(
    PhysAddr LowestByte, PhysAddr HighestByte, ByteCount LongestRange, ByteCount CommonAlignment);
