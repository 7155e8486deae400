namespace Mm.P2pDma.Topologies;

/// <summary>A link between devices that is not PCI.</summary>
public enum InterconnectKind
{
    /// <summary>Anything else.</summary>
    Other = 0,

    /// <summary>NVIDIA's NVLink.</summary>
    NvLink,

    /// <summary>AMD's xGMI.</summary>
    Xgmi,

    /// <summary>NVIDIA's link between chip and CPU.</summary>
    C2C,
}
