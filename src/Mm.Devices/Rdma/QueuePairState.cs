namespace Mm.Devices.Rdma;

/// <summary>Where a queue pair is in its life.</summary>
/// <remarks><b>Linux:</b> enum ib_qp_state (v6.12), without the states in between that only a handshake passes.</remarks>
public enum QueuePairState
{
    /// <summary>Not connected: receives may be posted, nothing is sent.</summary>
    Reset = 0,

    /// <summary>Connected.</summary>
    Ready = 1,

    /// <summary>In error: what is posted is flushed.</summary>
    Error = 2,
}
