namespace Mm.Core.PhysRanges;

/// <summary>One owner for the whole address space: for lists that are known to be all RAM, or all of one page map.</summary>
/// <remarks><b>Locking:</b> immutable.</remarks>
/// <param name="owner">The owner of every address.</param>
public sealed class UniformOwnerSource(RangeOwner owner) : IRangeOwnerSource
{
    /// <summary>Every address is RAM.</summary>
    public static UniformOwnerSource AllRam { get; } = new(RangeOwner.Ram);

    /// <summary>The owner of every address.</summary>
    public RangeOwner Owner { get; } = owner ?? throw new ArgumentNullException(nameof(owner));

    /// <inheritdoc/>
    public long Version => 0;

    /// <inheritdoc/>
    public RangeOwner FindOwner(PhysAddr address, out PhysRange extent)
    {
        // The whole space has 2^64 bytes, one more than a length can say: answer with the half that holds the address.
        const ulong Half = 1UL << 63;
        extent = new PhysRange(new PhysAddr(address.Value & Half), new ByteCount(Half));
        return Owner;
    }
}
