namespace Mm.Cli.Pictures;

/// <summary>What a device is to peer-to-peer DMA.</summary>
internal enum DeviceRole
{
    /// <summary>Memory that everybody wants.</summary>
    Gpu,

    /// <summary>Bytes from outside.</summary>
    Nic,

    /// <summary>Bytes from disk.</summary>
    Nvme,
}
