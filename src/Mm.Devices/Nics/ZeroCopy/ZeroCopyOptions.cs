using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Iommufd;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>What a user registers for zero-copy receive: a queue, a ring, and an area that payload lands in.</summary>
/// <remarks>
/// <b>Linux:</b> struct io_uring_zcrx_ifq_reg and io_uring_zcrx_area_reg (v6.15), with what the ring was set up as.
/// <para>Immutable.</para>
/// </remarks>
public sealed record ZeroCopyOptions
{
    /// <summary>The queue.</summary>
    public required int Queue { get; init; }

    /// <summary>How many entries the refill ring has; rounded up to a power of two.</summary>
    public int RefillEntries { get; init; } = 256;

    /// <summary>Whether too many entries are as many as there may be. <b>Linux:</b> IORING_SETUP_CLAMP.</summary>
    public bool Clamps { get; init; }

    /// <summary>Whether the user may administer the network. <b>Linux:</b> CAP_NET_ADMIN.</summary>
    public bool IsPrivileged { get; init; } = true;

    /// <summary>Whether work is put off until the user asks. <b>Linux:</b> IORING_SETUP_DEFER_TASKRUN.</summary>
    public bool DefersWork { get; init; } = true;

    /// <summary>Whether completions have room for a place. <b>Linux:</b> IORING_SETUP_CQE32 or IORING_SETUP_CQE_MIXED.</summary>
    public bool HasBigCompletions { get; init; } = true;

    /// <summary>Whose memory the area is; null where it is a shared buffer.</summary>
    public AddressSpace? Space { get; init; }

    /// <summary>Who is charged for pinned pages; nobody where null.</summary>
    public PinAccount? Account { get; init; }

    /// <summary>The shared buffer that is the area; null where it is memory of a process.</summary>
    public BufferHandle? Buffer { get; init; }

    /// <summary>Where the area begins: an address of the process, or an offset in the buffer, which must be 0.</summary>
    public VirtAddr Start { get; init; }

    /// <summary>How many bytes it has.</summary>
    public ByteCount Length { get; init; }
}
