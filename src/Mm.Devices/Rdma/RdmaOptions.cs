using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Rdma;

/// <summary>What a NIC can do, and how it is driven.</summary>
/// <remarks><b>Linux:</b> struct ib_device_attr, as far as it is modelled (v6.12). Immutable.</remarks>
public sealed record RdmaOptions
{
    /// <summary>Who translates for it; null for nobody.</summary>
    public IommuDomain? Domain { get; init; }

    /// <summary>The most bytes of a packet. <b>Linux:</b> IB_MTU_4096.</summary>
    public ByteCount PacketBytes { get; init; } = ByteCount.FromKiB(4);

    /// <summary>Whether work waits until <see cref="RdmaNic.Process"/>; otherwise posting it does it.</summary>
    public bool IsStepped { get; init; }

    /// <summary>How long a buffer's kernel fences are waited for before a use, in nanoseconds of the machine's clock.</summary>
    public ulong FenceTimeoutNs { get; init; } = ulong.MaxValue;
}
