namespace Mm.Devices.Rdma;

/// <summary>What a memory region allows.</summary>
/// <remarks><b>Linux:</b> enum ib_access_flags (include/uapi/rdma/ib_user_ioctl_verbs.h, v6.12), same numbers. Reading by the
/// own device is always allowed.</remarks>
[Flags]
public enum RegionAccess
{
    /// <summary>The own device may read.</summary>
    None = 0,

    /// <summary>The own device may write: receives, and what reads and atomics bring back.</summary>
    LocalWrite = 1,

    /// <summary>Peers may write; wants <see cref="LocalWrite"/>.</summary>
    RemoteWrite = 2,

    /// <summary>Peers may read.</summary>
    RemoteRead = 4,

    /// <summary>Peers may do atomics; wants <see cref="LocalWrite"/>.</summary>
    RemoteAtomic = 8,

    /// <summary>Pages are faulted in when they are used, and pinned never.</summary>
    OnDemand = 64,
}
