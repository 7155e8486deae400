using Mm.Core;

namespace Mm.Devices.Nics.PagePools;

/// <summary>A buffer of memory that has no pages, as a page pool hands it out: a device finds it, a CPU does not.</summary>
/// <remarks>
/// Owns nothing: its provider owns the memory. Like a <see cref="PoolPage"/> it can be recycled, always.
/// <para><b>Linux:</b> struct net_iov (include/net/netmem.h, v6.12).</para>
/// <para>Immutable but for its pool, its users and its address, which its owner changes when the memory has moved. <b>Locking:</b> as <see cref="PoolBuffer"/>.</para>
/// </remarks>
/// <param name="owner">Whose memory it is.</param>
/// <param name="address">Where the device finds it.</param>
/// <param name="length">How many bytes.</param>
/// <param name="offset">Where in the owner's memory it begins.</param>
public sealed class NetIov(IMemoryProvider owner, DmaAddr address, ByteCount length, ByteCount offset = default) : PoolBuffer
{
    /// <summary>Whose memory it is.</summary>
    public IMemoryProvider Owner { get; } = owner;

    /// <summary>Where the device finds it; means nothing once the owner's memory is not mapped any more.</summary>
    public DmaAddr Address { get; internal set; } = address;

    /// <summary>Where in the owner's memory it begins: what a user is told, who has that memory.</summary>
    /// <remarks><b>Linux:</b> net_iov_virtual_addr (v6.12).</remarks>
    public ByteCount Offset { get; } = offset;

    /// <summary>How many bytes.</summary>
    public ByteCount Length { get; } = length;

    internal override bool IsRecyclable => true;
}
