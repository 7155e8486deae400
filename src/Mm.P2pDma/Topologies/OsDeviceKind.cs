namespace Mm.P2pDma.Topologies;

/// <summary>What an operating system's device is.</summary>
/// <remarks><b>Linux:</b> the class folder under /sys/class, as far as told.</remarks>
public enum OsDeviceKind
{
    /// <summary>Anything else.</summary>
    Other = 0,

    /// <summary>A block device: <c>nvme0n1</c>.</summary>
    Block,

    /// <summary>A network interface: <c>eth0</c>.</summary>
    Network,

    /// <summary>An RDMA device: <c>mlx5_0</c>.</summary>
    Rdma,

    /// <summary>A display or compute node of a GPU: <c>card0</c>, <c>renderD128</c>.</summary>
    Gpu,

    /// <summary>A co-processor: <c>cuda0</c>, <c>rsmi0</c>, <c>mic0</c>.</summary>
    CoProcessor,

    /// <summary>A DMA engine: <c>dma0chan0</c>.</summary>
    DmaEngine,

    /// <summary>Memory: <c>dax0.0</c>, <c>pmem0</c>.</summary>
    Memory,
}
