using Mm.Core;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>One buffer that a user gives back: a number of the area and a place in it, in one word.</summary>
/// <remarks>
/// <b>Linux:</b> struct io_uring_zcrx_rqe (v6.15), 16 bytes: off, len and padding that must be zero.
/// <para><c>default</c> names the first buffer of area 0. Immutable.</para>
/// </remarks>
/// <param name="Place">The area's number from bit 48 on, and below it an offset in the area: any in the buffer.</param>
/// <param name="Size">How many bytes; not looked at.</param>
/// <param name="Padding">Must be zero.</param>
public readonly record struct RefillEntry(ulong Place, uint Size = 0, uint Padding = 0)
{
    internal const int AreaShift = 48;

    /// <summary>The area's number.</summary>
    public int Area => (int)(Place >> AreaShift);

    /// <summary>The place in the area.</summary>
    public ByteCount Offset => new(Place & ((1UL << AreaShift) - 1));
}
