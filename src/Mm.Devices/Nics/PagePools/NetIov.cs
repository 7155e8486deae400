using Mm.Core;

namespace Mm.Devices.Nics.PagePools;

/// <summary>A buffer of memory that has no pages, as a page pool hands it out: a device finds it, a CPU does not.</summary>
/// <remarks>
/// Owns nothing: its provider owns the memory. Like a <see cref="PoolPage"/> it can be recycled, always.
/// <para><b>Linux:</b> struct net_iov (include/net/netmem.h, v6.12).</para>
/// <para>Immutable but for its pool and its users. <b>Locking:</b> as <see cref="PoolBuffer"/>.</para>
/// </remarks>
/// <param name="owner">Whose memory it is.</param>
/// <param name="address">Where the device finds it.</param>
/// <param name="length">How many bytes.</param>
public sealed class NetIov(IMemoryProvider owner, DmaAddr address, ByteCount length) : PoolBuffer
{
    /// <summary>Whose memory it is.</summary>
    public IMemoryProvider Owner { get; } = owner;

    /// <summary>Where the device finds it.</summary>
    public DmaAddr Address { get; } = address;

    /// <summary>How many bytes.</summary>
    public ByteCount Length { get; } = length;

    internal override bool IsRecyclable => true;
}
