namespace Mm.Devices.Rdma;

/// <summary>What work does.</summary>
/// <remarks><b>Linux:</b> enum ib_wr_opcode, and IB_WC_RECV for receives (v6.12).</remarks>
public enum WorkOpcode
{
    /// <summary>Writes pieces to the peer's memory.</summary>
    Write = 0,

    /// <summary>Sends pieces into the peer's next receive.</summary>
    Send = 2,

    /// <summary>Reads the peer's memory into pieces.</summary>
    Read = 4,

    /// <summary>Replaces 8 bytes of the peer's if they are what is expected; what was there comes back.</summary>
    CompareSwap = 5,

    /// <summary>Adds to 8 bytes of the peer's; what was there comes back.</summary>
    FetchAdd = 6,

    /// <summary>Takes what the peer sends.</summary>
    Receive = 128,
}
