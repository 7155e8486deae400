namespace Mm.Devices.Nvme;

/// <summary>How a command says where its bytes are.</summary>
/// <remarks><b>Linux:</b> nvme_pci_use_sgls chooses (drivers/nvme/host/pci.c, v6.12).</remarks>
public enum DataPointerKind
{
    /// <summary>A list of descriptors where segments are long on average or cannot be cut at pages, pages else.</summary>
    Automatic = 0,

    /// <summary>Physical region pages: an offset in the first page, whole pages after it, lists of them chained.</summary>
    Prp = 1,

    /// <summary>Scatter-gather descriptors: address and length to the byte, in chained segments.</summary>
    Sgl = 2,
}
