namespace Mm.Devices.Rdma;

/// <summary>Where a memory region is in its life.</summary>
/// <remarks><b>Linux:</b> the state of an mkey, which devices keep (v6.12).</remarks>
public enum RegionState
{
    /// <summary>It is used by its key.</summary>
    Valid = 0,

    /// <summary>Its memory was taken away: uses end in errors, and nobody else gets its key.</summary>
    Revoked = 1,

    /// <summary>It was given back, and its key is free.</summary>
    Deregistered = 2,
}
