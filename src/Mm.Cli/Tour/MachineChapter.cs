using Mm.Cli.Pictures;
using Mm.Core;
using Mm.Core.Native;

namespace Mm.Cli.Tour;

/// <summary>Builds the machine and shows its physical address space.</summary>
internal static class MachineChapter
{
    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        stage.Say($"{TourStage.MachineName}: {MachineSummary.Of(stage.Pci.Topology.Snapshot)}");
        stage.Say("");
        TreePicture.Draw(stage.Pci.Topology.Snapshot, isDetailed: true, stage.Output);
        stage.Say("");
        stage.Say("Physical address space, as /proc/iomem tells it:");
        foreach (AddressRegion region in stage.Machine.AddressMap.Regions)
        {
            stage.Say($"  {region.Range,-34} {region.Name}");
        }

        stage.Say("");
        CheckBytes(stage);
    }

    private static void CheckBytes(TourStage stage)
    {
        var page = new PhysRange(TourStage.FirstRam, PageSize.Small.Bytes);
        using (SpanLease lease = stage.Machine.Lease(page))
        {
            lease.Bytes.Fill(0x5a);
        }

        using (SpanLease lease = stage.Machine.Lease(page))
        {
            stage.Check(!lease.Bytes.ContainsAnyExcept((byte)0x5a), $"bytes written at {page.Start} are the bytes read there");
        }

        var hole = new PhysRange(new PhysAddr(0x1000), PageSize.Small.Bytes);
        stage.Check(stage.Machine.TryLease(hole, out _) == Errno.ENXIO, "a hole has no bytes to give: ENXIO");
    }
}
