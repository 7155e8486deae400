using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Cli.Tour;

/// <summary>One allocator for a GPU's memory: packets land where the process that owns the flow has its buffer.</summary>
internal static class OneAllocatorChapter
{
    private static readonly PageCount Pages = new(16);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var card = new TourCard(stage);
        DmaDevice nic = stage.Attach(stage.DirectNic);
        using GpuObject ofP = card.CreateBuffer(Pages);
        using GpuObject ofQ = card.CreateBuffer(Pages);
        stage.Check(
            card.Gpu.Memory.UsedPages.Value == 2 * Pages.Value && !stage.Pci.Pools.TryFind(stage.Gpu.Place, out _),
            "two processes have buffers of the GPU's allocator; there is no p2pmem pool beside it");
        byte[] flowP = card.MakePayload(Pages);
        byte[] flowQ = [.. flowP.Select(static value => (byte)(value ^ 0xff))];
        Receive(ofP, nic, flowP);
        Receive(ofQ, nic, flowQ);
        stage.Check(
            TourCard.Read(ofP).AsSpan().SequenceEqual(flowP),
            $"{stage.DirectNic.Place} received P's flow into P's buffer by bus address, and the GPU reads it");
        stage.Check(TourCard.Read(ofQ).AsSpan().SequenceEqual(flowQ), "Q's flow is in Q's buffer, and touched nothing of P");
        stage.Check(card.Gpu.Memory.UsedPages.Value == 2 * Pages.Value, "the NIC took no page of the GPU by itself");
    }

    private static void Receive(GpuObject buffer, DmaDevice nic, ReadOnlySpan<byte> packets)
    {
        buffer.TryExport(out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            BufferAttachment.TryAttach(handle!, nic, new PeerImporter(), out BufferAttachment? attachment).ThrowIfError();
            using (attachment)
            {
                attachment!.TryMap(DmaDirection.FromDevice, out BufferMapping? mapping).ThrowIfError();
                using (mapping)
                {
                    foreach (DmaSegment segment in mapping!.Segments)
                    {
                        int length = (int)segment.Length.Value;
                        nic.Port.TryWrite(segment.Address, packets[..length], out _).ThrowIfError();
                        packets = packets[length..];
                    }
                }
            }
        }
    }

    private sealed class PeerImporter : IBufferImporter
    {
        public bool AllowsPeerToPeer => true;

        public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice)
        {
            // It maps for each flow anew, and keeps nothing that could move away.
        }
    }
}
