using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Devices.Vfio;

/// <summary>One export of a device's BAR: who can take it away, and of which buffer.</summary>
/// <remarks>
/// Owns nothing: the buffer lives by its handles, and the device looks at this list only.
/// <para><b>Linux:</b> struct vfio_pci_dma_buf on vdev->dmabufs (v6.19).</para>
/// <para>Immutable.</para>
/// </remarks>
internal sealed record VfioBuffer(BarBuffer Exporter, DmaBuffer Buffer)
{
    /// <summary>Whether somebody still holds the buffer.</summary>
    internal bool IsAlive => Buffer.HandleCount > 0;
}
