namespace Mm.Devices.Rdma;

/// <summary>How work ended.</summary>
/// <remarks><b>Linux:</b> enum ib_wc_status (include/rdma/ib_verbs.h, v6.12), same numbers.</remarks>
public enum WorkStatus
{
    /// <summary>It was done.</summary>
    Success = 0,

    /// <summary>More bytes came than the receive had room for.</summary>
    LocalLengthError = 1,

    /// <summary>A piece is not in a valid region of the own domain, or the region does not allow it.</summary>
    LocalProtectionError = 4,

    /// <summary>The queue pair was in error before the work was done.</summary>
    Flushed = 5,

    /// <summary>The peer does not take the request: too long, or an atomic at an odd address.</summary>
    RemoteInvalidRequest = 9,

    /// <summary>The peer's key, address or right is not good, or the region's memory was taken away.</summary>
    RemoteAccessError = 10,

    /// <summary>The peer could not do it for a reason of its own.</summary>
    RemoteOperationError = 11,

    /// <summary>The peer does not answer: removed, or in error.</summary>
    RetryExceeded = 12,

    /// <summary>The peer posted no receive.</summary>
    ReceiverNotReady = 13,
}
