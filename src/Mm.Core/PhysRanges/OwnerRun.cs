namespace Mm.Core.PhysRanges;

/// <summary>Consecutive ranges of a list that have one owner.</summary>
/// <remarks>
/// A list of one owner, the common case, has one run whatever its number of ranges.
/// <para>Immutable. <c>default</c> has no owner and stands in no list.</para>
/// </remarks>
/// <param name="Owner">Who owns the ranges.</param>
/// <param name="FirstRange">The index of the first range of the run in its list.</param>
/// <param name="RangeCount">How many ranges the run has; at least 1.</param>
public readonly record struct OwnerRun(RangeOwner Owner, int FirstRange, int RangeCount);
