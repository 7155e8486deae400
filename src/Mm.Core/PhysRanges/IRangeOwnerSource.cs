namespace Mm.Core.PhysRanges;

/// <summary>Says who owns which physical addresses, one extent at a time, so that ranges are never merged across owners.</summary>
/// <remarks>
/// A machine's address map, its page maps and its provider map each implement it; <see cref="RangeOwnerLayers"/> puts
/// one in front of another. A list builder asks once for each merged run, not for each page, and not even that while
/// the runs stay within the extent that was answered last.
/// <para><b>Locking:</b> called from any thread with no lock of Mm held; must not block.</para>
/// </remarks>
public interface IRangeOwnerSource
{
    /// <summary>A number that grows when an answer given so far may no longer hold.</summary>
    /// <remarks>A number, and not a <see cref="ValidityToken"/>, because the versions of two sources add up to one for both.</remarks>
    long Version { get; }

    /// <summary>Finds the owner of an address and how far around the address the same answer holds.</summary>
    /// <param name="address">Any address.</param>
    /// <param name="extent">A range that contains the address and has one owner throughout (or none throughout); it
    /// may be smaller than the owner's memory, and larger answers save questions.</param>
    /// <returns>The owner, or null when this source knows of none.</returns>
    RangeOwner? FindOwner(PhysAddr address, out PhysRange extent);
}
