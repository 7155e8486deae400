using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>A range of I/O addresses, its last byte included.</summary>
/// <remarks>
/// Owns nothing. Elsewhere ranges have a start and a length; here the last address is kept, since a space that nothing
/// limits is 2^64 bytes long, one more than a <see cref="ByteCount"/> can say.
/// <para><b>Linux:</b> struct iommu_iova_range (include/uapi/linux/iommufd.h, v6.12).</para>
/// <para><b>Invariants:</b> (1) <see cref="Last"/> is not below <see cref="First"/>: no range is empty.</para>
/// <para><c>default</c> is the byte at address 0. Immutable.</para>
/// </remarks>
public readonly record struct IoRange
{
    /// <summary>Makes a range.</summary>
    /// <param name="first">The first address.</param>
    /// <param name="last">The last address; not below the first.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="last"/> is below <paramref name="first"/>.</exception>
    public IoRange(DmaAddr first, DmaAddr last)
    {
        if (last < first)
        {
            throw new ArgumentOutOfRangeException(nameof(last), last, $"last must be at least {first}; it is {last}");
        }

        First = first;
        Last = last;
    }

    /// <summary>All 2^64 addresses.</summary>
    public static IoRange All => new(DmaAddr.Zero, DmaAddr.MaxValue);

    /// <summary>The first address.</summary>
    public DmaAddr First { get; }

    /// <summary>The last address.</summary>
    public DmaAddr Last { get; }

    /// <summary>How many bytes.</summary>
    /// <exception cref="OverflowException">The range is all 2^64 addresses.</exception>
    public ByteCount Length => new(checked(Last.Value - First.Value + 1));

    /// <summary>Makes a range from its first address and its length.</summary>
    /// <param name="first">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="range">The range, or <c>default</c> when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the length is zero.
    /// <see cref="Errno.EOVERFLOW"/>: the range would pass the top of the address space.
    /// </returns>
    public static Errno TryCreate(DmaAddr first, ByteCount length, out IoRange range)
    {
        range = default;
        if (length.IsZero)
        {
            return Errno.EINVAL;
        }

        if (length.Value - 1 > ulong.MaxValue - first.Value)
        {
            return Errno.EOVERFLOW;
        }

        range = new IoRange(first, new DmaAddr(first.Value + (length.Value - 1)));
        return Errno.Ok;
    }

    /// <summary>Whether an address lies in the range.</summary>
    /// <param name="address">The address.</param>
    /// <returns>Whether it does.</returns>
    public bool Contains(DmaAddr address) => First <= address && address <= Last;

    /// <summary>Whether all of another range lies in this one.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether it does.</returns>
    public bool Contains(IoRange other) => First <= other.First && other.Last <= Last;

    /// <summary>Whether two ranges share a byte.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether they do.</returns>
    public bool Overlaps(IoRange other) => First <= other.Last && other.First <= Last;

    /// <summary>As <c>[0x1000, 0x2000)</c>; the end of what reaches the top is <c>0x10000000000000000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"[{First}, 0x{(UInt128)Last.Value + 1:x})";
}
