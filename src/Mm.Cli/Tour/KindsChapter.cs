using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tour;

/// <summary>Asks for RAM and two GPUs' memory in one request: a decision for each part, or a refusal of all.</summary>
internal static class KindsChapter
{
    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        stage.Machine.Allocator.TryAllocate(AllocationRequest.Kernel with { IsZeroed = true }, out PageRef ram).ThrowIfError();
        using (ram)
        {
            PhysRange[] parts = [new(ram.Page.Address, PageSize.Small.Bytes), PageOf(stage, stage.Gpu), PageOf(stage, stage.SecondGpu)];
            MapList(stage, parts);
            stage.Say("");
            AskOwner(stage, parts);
        }
    }

    private static void MapList(TourStage stage, PhysRange[] parts)
    {
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        builder.TryAppend(parts).ThrowIfError();
        using PhysRangeList list = builder.Build();
        DmaDevice nic = stage.Attach(stage.DirectNic);
        nic.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            stage.Say($"One list for {stage.DirectNic.Place}: RAM, memory of {stage.Gpu.Place}, memory of {stage.SecondGpu.Place}.");
            byte next = 1;
            foreach (DmaSegment segment in mapping!.Segments)
            {
                stage.Say($"  part {next} at {segment.Address}");
                nic.Port.TryWrite(segment.Address, [next++], out _).ThrowIfError();
            }
        }

        bool isWritten = parts.Select((part, index) => First(stage.Machine, part) == index + 1).All(static holds => holds);
        stage.Check(isWritten, $"{list.OwnerRuns.Length} owners, {list.OwnerRuns.Length} decisions: each part got its byte");

        DmaDevice far = stage.Attach(stage.FarNic);
        stage.Check(
            far.TryMap(list, DmaDirection.Bidirectional, out _) == Errno.EREMOTEIO && far.LiveMappings == 0,
            $"{stage.FarNic.Place} does not reach one of them: all is refused, and nothing stays mapped");
    }

    private static void AskOwner(TourStage stage, PhysRange[] parts)
    {
        var owner = new TourDoorbell(stage.Machine, parts[1]) { Other = parts[2] };
        stage.Machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        using (process)
        {
            var two = new PageCount(2);
            var request = new AreaRequest(two.ToBytes(), owner.Backing.Describe(AreaAccess.ReadWrite));
            process!.TryMap(request, out VirtRange range).ThrowIfError();
            DeviceId nic = stage.Machine.TryFindDevice(stage.DirectNic.Place.ToString(), out DeviceId id) ? id : DeviceId.None;
            var import = new PeerImport(nic, stage.Pci.CreateListBuilder());
            stage.Check(
                process.TryMapPeer(range, import, out _) == Errno.EINVAL,
                "an owner that answers with two GPUs' memory for one request is refused: EINVAL");
            owner.Other = null;
            process.TryMapPeer(new VirtRange(range.Start, PageSize.Small.Bytes), import, out PeerAreaMapping? part).ThrowIfError();
            stage.Check(part!.List.SingleOwner is not null, $"asked for one part, it gives {part.List.SingleOwner}");
            part.Dispose();
        }
    }

    private static PhysRange PageOf(TourStage stage, PciFunction gpu)
    {
        stage.Pci.Bars.TryGet(gpu.Place, TourStage.LargestBar(gpu), out BarProvider? provider).ThrowIfError();
        return provider!.Aperture.Slice(ByteCount.FromMiB(1), PageSize.Small.Bytes);
    }

    private static byte First(Machine machine, PhysRange range)
    {
        using SpanLease lease = machine.Lease(range);
        return lease.Bytes[0];
    }
}
