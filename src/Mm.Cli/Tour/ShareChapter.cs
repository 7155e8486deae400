using Mm.Cli.Pictures;
using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma.Providers;

namespace Mm.Cli.Tour;

/// <summary>Shares GPU memory as a buffer: three importers, a move while it is in use, and a BAR that is taken away.</summary>
internal static class ShareChapter
{
    private static readonly ByteCount Length = ByteCount.FromKiB(256);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        var system = new BufferSystem(stage.Machine);
        BarProvider memory = stage.ProvideGpuMemory();
        DmaDevice near = stage.Attach(stage.DirectNic);
        Move(stage, system, memory, near);
        stage.Say("");
        Revoke(stage, system, near);
        stage.Check(system.Buffers.Count == 0, "every handle is closed, and no buffer is left");
        system.Validate();
    }

    private static void Move(TourStage stage, BufferSystem system, BarProvider memory, DmaDevice near)
    {
        PhysRange home = memory.Aperture.Slice(ByteCount.FromMiB(32), Length);
        MovingBuffer.TryExport(
            system.Buffers, stage.Pci.Owners, memory, [home], out MovingBuffer? owner, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            DmaBuffer buffer = handle!.Buffer;
            buffer.TrySetName("weights").ThrowIfError();
            var importer = new TourImporter(stage);
            using BufferAttachment beside = Attach(handle, near, importer);
            using BufferAttachment across = Attach(handle, stage.Attach(stage.Drive), importer);
            using BufferAttachment far = Attach(handle, stage.Attach(stage.FarNic), importer);
            var picture = new SharingPicture(buffer, stage.Machine);
            byte[] payload = new byte[Length.Value];
            stage.Machine.CreateRandom("shared").Fill(payload);

            Write(beside, payload);
            stage.Check(
                owner!.IsInDevice && Read(across).SequenceEqual(payload),
                $"{stage.Drive.Place} reads through the host bridge what {stage.DirectNic.Place} wrote by bus address");
            picture.Draw(stage.Output, [beside, across, far]);

            stage.Say("");
            stage.Say($"{stage.FarNic.Place} does not reach the GPU. It maps the buffer, and so the buffer moves to RAM:");
            stage.Check(Read(far).SequenceEqual(payload), $"{stage.FarNic.Place} reads the bytes that {stage.DirectNic.Place} wrote");
            picture.Draw(stage.Output, [beside, across, far]);
            stage.Check(
                !owner.IsInDevice && Read(beside).SequenceEqual(payload),
                $"{stage.DirectNic.Place} mapped anew and reads them there, too");
            MoveWhileInUse(stage, system, owner, beside, memory, payload);
        }
    }

    private static void MoveWhileInUse(
        TourStage stage, BufferSystem system, MovingBuffer owner, BufferAttachment user, BarProvider memory, byte[] payload)
    {
        stage.Say("");
        var work = new DmaFence(system.Contexts, system.Contexts.Next(), seqno: 1);
        using (ReservationLock held = user.Buffer.Reservation.Lock())
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(work, FenceUsage.Bookkeep);
        }

        PhysRange back = memory.Aperture.Slice(ByteCount.FromMiB(48), Length);
        long built = user.Rebuilds;
        stage.Check(
            owner.TryMoveToDevice([back], timeoutNs: 0) == Errno.ETIME,
            "while a fence says that it is in use it does not move: ETIME");
        stage.Check(
            Read(user).SequenceEqual(payload) && user.Rebuilds == built,
            "told, but nothing moved: nothing was mapped anew");
        work.Signal().ThrowIfError();
        owner.TryMoveToDevice([back], timeoutNs: 0).ThrowIfError();
        stage.Check(
            Read(user).SequenceEqual(payload) && user.Rebuilds == built + 1,
            "the work is done: it moved, and was mapped anew once");
    }

    private static void Revoke(TourStage stage, BufferSystem system, DmaDevice near)
    {
        var exporter = new BarExporter(system.Buffers, stage.Pci) { Granule = new ByteCount(512) };
        var piece = new ByteCount(512);
        BarRange[] pieces = [.. Enumerable.Range(0, 4).Select(index => new BarRange(new ByteCount((ulong)index * 4096), piece))];
        int bar = TourStage.LargestBar(stage.Gpu);
        exporter.TryExport(stage.Gpu.Place, bar, pieces, out BarBuffer? owner, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            stage.Say($"{handle!.Buffer}: {pieces.Length} pieces of 512 B, no page descriptors.");
            using BufferAttachment attachment = Attach(handle, near, new TourImporter(stage));
            attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
            using (mapping)
            {
                DmaAddr address = mapping!.Segments[0].Address;
                owner!.TryRevoke(timeoutNs: 0).ThrowIfError();
                Errno read = near.Port.TryRead(address, new byte[64], out DmaFault fault);
                stage.Check(!read.IsOk, $"taken away, no byte is read: {fault}");
                stage.Check(attachment.TryMap(DmaDirection.ToDevice, out _) == Errno.ENODEV, "mapping it again is refused: ENODEV");
                owner.TryRestore().ThrowIfError();
                attachment.TryMap(DmaDirection.ToDevice, out BufferMapping? again).ThrowIfError();
                stage.Check(again!.IsValid, "given back, it maps again");
                again.Dispose();
            }
        }
    }

    private static BufferAttachment Attach(BufferHandle handle, DmaDevice device, IBufferImporter importer)
    {
        BufferAttachment.TryAttach(handle, device, importer, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }

    private static void Write(BufferAttachment attachment, ReadOnlySpan<byte> bytes)
    {
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        using (mapping)
        {
            foreach (DmaSegment segment in mapping!.Segments)
            {
                int length = (int)segment.Length.Value;
                attachment.Device.Port.TryWrite(segment.Address, bytes[..length], out _).ThrowIfError();
                bytes = bytes[length..];
            }
        }
    }

    private static byte[] Read(BufferAttachment attachment)
    {
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        using (mapping)
        {
            byte[] bytes = new byte[attachment.Buffer.Size.Value];
            int done = 0;
            foreach (DmaSegment segment in mapping!.Segments)
            {
                int length = (int)segment.Length.Value;
                attachment.Device.Port.TryRead(segment.Address, bytes.AsSpan(done, length), out _).ThrowIfError();
                done += length;
            }

            return bytes;
        }
    }

    // Follows moves, and says so.
    private sealed class TourImporter(TourStage stage) : IBufferImporter
    {
        public bool AllowsPeerToPeer => true;

        public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice) =>
            stage.Say($"  {stage.Machine.DeviceName(attachment.Device.Id)} is told: {notice}");
    }
}
