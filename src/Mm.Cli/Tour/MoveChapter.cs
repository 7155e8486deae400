using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Providers;

namespace Mm.Cli.Tour;

/// <summary>Lets a NIC's DMA engine write into GPU memory, and reads the bytes back from the other side.</summary>
internal static class MoveChapter
{
    private static readonly ByteCount Length = ByteCount.FromMiB(1);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        BarProvider provider = stage.ProvideGpuMemory();
        DmaDevice nic = stage.Attach(stage.DirectNic);
        PhysRange target = provider.Aperture.Slice(ByteCount.FromMiB(16), Length);
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        builder.TryAppend(target).ThrowIfError();
        using PhysRangeList list = builder.Build();

        byte[] payload = new byte[Length.Value];
        stage.Machine.CreateRandom("tour payload").Fill(payload);
        nic.TryMap(list, DmaDirection.FromDevice, out DmaMapping? mapping).ThrowIfError();
        DmaSegment segment = mapping!.Segments[0];
        stage.Say($"{stage.DirectNic.Place} writes {Length} of random bytes to {segment}, which is {target} of {provider.Name}.");
        nic.Port.TryWrite(segment.Address, payload, out _).ThrowIfError();

        using (SpanLease lease = stage.Machine.Lease(target))
        {
            stage.Check(lease.Bytes.SequenceEqual(payload), $"the {Length} in BAR memory are the {Length} that were sent");
        }

        Errno read = nic.Port.TryRead(segment.Address, payload.AsSpan(0, 64), out DmaFault fault);
        stage.Check(!read.IsOk && fault.IsFault, $"reading through a mapping made for writing faults: {fault}");
        mapping.Dispose();
        Errno late = nic.Port.TryWrite(segment.Address, payload, out fault);
        stage.Check(!late.IsOk && fault.IsFault, $"after unmapping the engine reaches nothing: {fault}");
    }
}
