using Mm.Core;
using Mm.DmaBuf.Exporters;

namespace Mm.Devices.Vfio;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class VfioPciDevice
{
    /// <summary>
    /// Whether an export whose file cannot be opened is freed by its exporter, too, as before CVE-2026-31468 (museum 1): the
    /// buffer owned it by then, and frees it when its last handle goes.
    /// </summary>
    internal bool FreesAfterHandOver { get; set; }

    /// <summary>Whether taking memory away does not wait for importers' work, as before "vfio: Wait for dma-buf invalidation to
    /// complete" (2026, museum 31).</summary>
    internal bool RevokesWithoutWaiting { get; set; }

    private void UndoExport(BarBuffer exporter)
    {
        if (FreesAfterHandOver)
        {
            exporter.Release();
        }
    }

    private Errno Revoke(BarBuffer exporter, bool isForGood, ulong timeoutNs)
    {
        Errno errno = exporter.TryRevoke(isForGood, RevokesWithoutWaiting ? 0 : timeoutNs);
        return RevokesWithoutWaiting ? Errno.Ok : errno;
    }
}
