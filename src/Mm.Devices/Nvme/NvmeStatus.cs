using Mm.Core;

namespace Mm.Devices.Nvme;

/// <summary>How a command ended: the status field of a completion, type and code.</summary>
/// <remarks>
/// <b>Linux:</b> NVME_SC_* (include/linux/nvme.h, v6.12), same numbers.
/// <para><c>default</c> is success. Immutable.</para>
/// </remarks>
/// <param name="Value">The number: bits 0 to 7 the code, bits 8 to 10 the type.</param>
public readonly record struct NvmeStatus(ushort Value)
{
    /// <summary>It was done.</summary>
    public static NvmeStatus Success => default;

    /// <summary>The controller does not know the command.</summary>
    public static NvmeStatus InvalidOpcode => new(0x001);

    /// <summary>A field of the command is not legal.</summary>
    public static NvmeStatus InvalidField => new(0x002);

    /// <summary>A byte of the data, or of the list that says where it is, could not be moved.</summary>
    public static NvmeStatus DataTransferError => new(0x004);

    /// <summary>The medium's own failure.</summary>
    public static NvmeStatus InternalError => new(0x006);

    /// <summary>There is no such namespace.</summary>
    public static NvmeStatus InvalidNamespace => new(0x00b);

    /// <summary>A descriptor that leads to more descriptors is not legal where it stands.</summary>
    public static NvmeStatus SglInvalidSegment => new(0x00d);

    /// <summary>More descriptors than the controller follows.</summary>
    public static NvmeStatus SglInvalidCount => new(0x00e);

    /// <summary>The descriptors name fewer bytes than the command moves.</summary>
    public static NvmeStatus SglInvalidLength => new(0x00f);

    /// <summary>A descriptor is of a type that the controller does not know.</summary>
    public static NvmeStatus SglInvalidType => new(0x011);

    /// <summary>An entry after the first does not start a page.</summary>
    public static NvmeStatus PrpInvalidOffset => new(0x013);

    /// <summary>The blocks pass the end of the namespace.</summary>
    public static NvmeStatus LbaOutOfRange => new(0x080);

    /// <summary>The medium did not take the data.</summary>
    public static NvmeStatus WriteFault => new(0x280);

    /// <summary>The medium does not give the data.</summary>
    public static NvmeStatus ReadError => new(0x281);

    /// <summary>The host gave the command up: a reset, or the drive is gone. No controller says this.</summary>
    public static NvmeStatus HostAborted => new(0x371);

    /// <summary>Whether it was done.</summary>
    public bool IsSuccess => Value == 0;

    /// <summary>What a reader or writer of the block device is told.</summary>
    /// <returns>Ok; EREMOTEIO: past the end; EOPNOTSUPP: the command, a field or the namespace is not known; ENODATA: the
    /// medium failed; EIO: anything else.</returns>
    /// <remarks><b>Linux:</b> nvme_error_status and blk_status_to_errno (v6.12).</remarks>
    public Errno ToErrno() => Value switch
    {
        0x000 => Errno.Ok,
        0x080 => Errno.EREMOTEIO,
        0x001 or 0x002 or 0x00b => Errno.EOPNOTSUPP,
        0x280 or 0x281 => Errno.ENODATA,
        _ => Errno.EIO,
    };

    /// <summary>The name and the number.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name} (0x{Value:x3})";

    private string Name => Value switch
    {
        0x000 => "success",
        0x001 => "invalid opcode",
        0x002 => "invalid field",
        0x004 => "data transfer error",
        0x006 => "internal error",
        0x00b => "invalid namespace",
        0x00d => "invalid SGL segment",
        0x00e => "invalid number of SGL descriptors",
        0x00f => "invalid SGL length",
        0x011 => "invalid SGL descriptor type",
        0x013 => "invalid PRP offset",
        0x080 => "LBA out of range",
        0x280 => "write fault",
        0x281 => "unrecovered read error",
        0x371 => "aborted by the host",
        _ => "status",
    };
}
