namespace Mm.Devices.Nvme;

/// <summary>What a command does.</summary>
/// <remarks><b>Linux:</b> enum nvme_opcode (include/linux/nvme.h, v6.12), same numbers.</remarks>
public enum NvmeOpcode
{
    /// <summary>All that was written is to be on the medium.</summary>
    Flush = 0,

    /// <summary>From memory to blocks.</summary>
    Write = 1,

    /// <summary>From blocks to memory.</summary>
    Read = 2,
}
