using Mm.Core;
using Mm.Core.Native;
using Mm.Devices.Rdma;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Cli.Tour;

/// <summary>Lets the GPU take memory back from under a NIC: the region ends at once, its key stays taken.</summary>
internal static class RegionChapter
{
    private static readonly PageCount Pages = new(8);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        var system = new BufferSystem(stage.Machine);
        using var rdma = new TourRdma(stage, Pages, isStepped: true);
        var exporter = new BarExporter(system.Buffers, stage.Pci) { PinsForRevocable = true };
        exporter.TryExport(
            stage.Gpu.Place, TourStage.LargestBar(stage.Gpu), [new BarRange(ByteCount.Zero, Pages.ToBytes())],
            out BarBuffer? vram, out BufferHandle? handle).ThrowIfError();
        rdma.Domain.TryRegisterBuffer(
            handle!, ByteCount.Zero, Pages.ToBytes(), VirtAddr.Zero, TourRdma.Access, RegionContract.BufferRevocable,
            out MemoryRegion? region).ThrowIfError();
        stage.Say($"{region} on {handle!.Buffer}, {vram!.PinCount} pin");
        rdma.Fill(7);
        rdma.Post(region!);
        stage.Check(rdma.Send(3) == 3, $"a peer writes to it: 3 packets of {Pages} are there");

        vram.TryRevoke(timeoutNs: 0).ThrowIfError();
        int there = Count(stage, 7);
        stage.Check(vram.PinCount == 0, "the GPU takes its memory back, and nobody pins it any more");
        WorkStatus status = rdma.Finish();
        stage.Check(
            status == WorkStatus.RemoteAccessError && Count(stage, 7) == there,
            $"the work under way ends in {status}, and not one byte came after");
        MemoryRegion[] others = [.. Enumerable.Range(0, 8).Select(_ => Register(rdma))];
        stage.Check(
            region!.State == RegionState.Revoked && Array.TrueForAll(others, other => other.Key != region.Key),
            $"{region.Key} is {region.State}: nobody else is given the key before it is deregistered");
        Array.ForEach(others, static other => other.Dispose());
        region.Dispose();
        handle.Dispose();
        stage.Check(system.Buffers.Count == 0, "deregistered, the buffer is released");
    }

    private static MemoryRegion Register(TourRdma rdma)
    {
        rdma.Domain.TryRegister(rdma.Source.Start, new ByteCount(1), RegionAccess.None, out MemoryRegion? region).ThrowIfError();
        return region!;
    }

    private static int Count(TourStage stage, byte value)
    {
        using SpanLease lease = stage.Machine.Lease(stage.ProvideGpuMemory().Aperture.Slice(ByteCount.Zero, Pages.ToBytes()));
        return lease.Bytes.Count(value);
    }
}
