namespace Mm.Core.Spaces;

/// <summary>How an access of the CPU ends.</summary>
/// <remarks><b>Linux:</b> vm_fault_t and the signal that follows (v6.12). <c>default</c> is done.</remarks>
public enum FaultResult
{
    /// <summary>It was done; of a fault: look again.</summary>
    Done = 0,

    /// <summary>No area, or one that forbids it. <b>Linux:</b> SIGSEGV.</summary>
    SegmentationFault = 1,

    /// <summary>Nothing stands behind the address: beyond a file's end, or a device that could not bring its page home. <b>Linux:</b> SIGBUS.</summary>
    BusError = 2,

    /// <summary>No memory. <b>Linux:</b> VM_FAULT_OOM.</summary>
    OutOfMemory = 3,

    /// <summary>The memory is broken. <b>Linux:</b> VM_FAULT_HWPOISON.</summary>
    HwPoison = 4,
}
