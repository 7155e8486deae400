using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Attachments;
using Mm.DmaBuf.Tests.Buffers;

namespace Mm.DmaBuf.Tests;

/// <summary>Bytes written through any view of a buffer are the bytes read through every other, wherever the buffer lies.</summary>
internal sealed class BufferSystemProperties
{
    private const int Pages = 3;
    private const int Length = Pages * BufferRig.Page;

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public bool Views_OfABufferThatMoves_SeeTheSameBytes((byte View, ushort Offset, byte Count, byte Value)[] steps)
    {
        using var rig = new PeerRig();
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter, Pages);
        using BufferAttachment near = Attach(handle, rig.Near, new FakeImporter());
        using BufferAttachment across = Attach(handle, rig.Across, new FakeImporter());
        using BufferAttachment far = Attach(handle, rig.Far, new FakeImporter());
        using AddressSpace space = BufferAreaTests.Space(rig.Machine);
        using AddressSpace other = BufferAreaTests.Space(rig.Machine);
        handle.Buffer.TryMapPages(PageCount.Zero, new PageCount(Pages), out BufferCpuMap? map).ThrowIfError();
        using (map)
        {
            int moves = 0;
            IView[] views =
            [
                new OwnerBytes(handle.Buffer), new KernelBytes(handle.Buffer), new CpuBytes(map!), new ProcessBytes(space, handle.Buffer),
                new ProcessBytes(other, handle.Buffer), new DeviceBytes(near), new DeviceBytes(across), new DeviceBytes(far),
            ];
            return Holds(views, steps, () =>
            {
                moves++;
                Errno errno = moves % 3 == 0 ? exporter.TryMoveToRam() : exporter.TryMoveToDevice([rig.Vram(moves * 8, 1), rig.Vram((moves * 8) + 4, 2)]);
                errno.ThrowIfError();
            });
        }
    }

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public bool Views_OfAFilesPages_SeeTheSameBytes((byte View, ushort Offset, byte Count, byte Value)[] steps)
    {
        using var rig = new BufferRig();
        using MemoryFile file = rig.SealedFile(Pages + 2);
        using BufferHandle handle = rig.Udmabuf(file, 1, Pages);
        using BufferAttachment first = Attach(handle, rig.Device("first"), importer: null);
        using BufferAttachment second = Attach(handle, rig.Device("second"), new FakeImporter());
        using AddressSpace space = BufferAreaTests.Space(rig.Machine);
        handle.Buffer.TryMapPages(PageCount.Zero, new PageCount(Pages), out BufferCpuMap? map).ThrowIfError();
        using (map)
        {
            IView[] views =
            [
                new FileBytes(file), new OwnerBytes(handle.Buffer), new KernelBytes(handle.Buffer), new CpuBytes(map!),
                new ProcessBytes(space, handle.Buffer), new DeviceBytes(first), new DeviceBytes(second),
            ];
            return Holds(views, steps, static () => { });
        }
    }

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public bool Views_OfPiecesOfABar_SeeTheSameBytesBetweenRevocations((byte View, ushort Offset, byte Count, byte Value)[] steps)
    {
        using var rig = new PeerRig();
        BarRange[] pieces = [PeerRig.Piece(0x8000, 0x1000), PeerRig.Piece(0x2000, 0x2000)];
        new BarExporter(rig.System.Buffers, rig.Pci) { AllowsCpuMap = true }
            .TryExport(PeerRig.Gpu, 1, pieces, out BarBuffer? exporter, out BufferHandle? exported).ThrowIfError();
        using BufferHandle handle = exported!;
        using BufferAttachment near = Attach(handle, rig.Near, new FakeImporter());
        using BufferAttachment across = Attach(handle, rig.Across, new FakeImporter());
        using AddressSpace space = BufferAreaTests.Space(rig.Machine);
        var process = new ProcessBytes(space, handle.Buffer);
        IView[] views = [new OwnerBytes(handle.Buffer), process, new DeviceBytes(near), new DeviceBytes(across)];
        return Holds(views, steps, () =>
        {
            exporter!.TryRevoke().ThrowIfError();
            Assert.That(process.Touch(), Is.EqualTo(FaultResult.BusError), "nobody reaches what is taken away");
            exporter.TryRestore().ThrowIfError();
        });
    }

    private interface IView
    {
        void Write(int offset, ReadOnlySpan<byte> bytes);

        void Read(Span<byte> bytes);
    }

    private static bool Holds(IView[] views, (byte View, ushort Offset, byte Count, byte Value)[] steps, Action move)
    {
        byte[] model = new byte[Length];
        byte[] read = new byte[Length];
        views[0].Write(0, model);
        foreach ((byte view, ushort at, byte count, byte value) in steps)
        {
            if (view % (views.Length + 1) == views.Length)
            {
                move();
            }
            else
            {
                int offset = at % Length;
                Span<byte> written = model.AsSpan(offset, Math.Min(count * 37, Length - offset));
                written.Fill(value);
                views[view % views.Length].Write(offset, written);
            }

            foreach (IView each in views)
            {
                each.Read(read);
                if (!read.AsSpan().SequenceEqual(model))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private static BufferAttachment Attach(BufferHandle handle, DmaDevice device, IBufferImporter? importer)
    {
        BufferAttachment.TryAttach(handle, device, importer, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }

    private sealed class KernelBytes(DmaBuffer buffer) : IView
    {
        public void Write(int offset, ReadOnlySpan<byte> bytes)
        {
            using KernelView view = BufferRig.View(buffer);
            view.TryWrite(new ByteCount((ulong)offset), bytes).ThrowIfError();
        }

        public void Read(Span<byte> bytes)
        {
            using KernelView view = BufferRig.View(buffer);
            view.TryRead(ByteCount.Zero, bytes).ThrowIfError();
        }
    }

    private sealed class CpuBytes(BufferCpuMap map) : IView
    {
        public void Write(int offset, ReadOnlySpan<byte> bytes) => map.TryWrite(new ByteCount((ulong)offset), bytes).ThrowIfError();

        public void Read(Span<byte> bytes) => map.TryRead(ByteCount.Zero, bytes).ThrowIfError();
    }

    private sealed class ProcessBytes : IView
    {
        private readonly AddressSpace space;
        private readonly VirtRange range;

        internal ProcessBytes(AddressSpace space, DmaBuffer buffer)
        {
            this.space = space;
            range = BufferAreaTests.Map(space, buffer, Pages);
        }

        public void Write(int offset, ReadOnlySpan<byte> bytes) =>
            Assert.That(space.Write(range.Start.AddChecked(new ByteCount((ulong)offset)), bytes), Is.EqualTo(FaultResult.Done));

        public void Read(Span<byte> bytes) => Assert.That(space.Read(range.Start, bytes), Is.EqualTo(FaultResult.Done));

        internal FaultResult Touch() => space.Read(range.Start, new byte[1]);
    }

    // Whose memory it is goes by addresses, as a driver does that knows where the buffer lies.
    private sealed class OwnerBytes(DmaBuffer buffer) : IView
    {
        public void Write(int offset, ReadOnlySpan<byte> bytes)
        {
            for (int done = 0; done < bytes.Length; done++)
            {
                using SpanLease lease = Lease(offset + done, 1);
                lease.Bytes[0] = bytes[done];
            }
        }

        public void Read(Span<byte> bytes)
        {
            for (int page = 0; page < Pages; page++)
            {
                using SpanLease lease = Lease(page * BufferRig.Page, BufferRig.Page);
                lease.Bytes.CopyTo(bytes[(page * BufferRig.Page)..]);
            }
        }

        private SpanLease Lease(int offset, int length)
        {
            using ReservationLock held = buffer.Reservation.Lock();
            buffer.TryLocate(held, out PhysRangeList? list).ThrowIfError();
            Assert.That(list!.TryFindByte(new ByteCount((ulong)offset), out PhysAddr address, out _), Is.True);
            return buffer.Registry.Machine.Lease(new PhysRange(address, new ByteCount((ulong)length)));
        }
    }

    private sealed class FileBytes(MemoryFile file) : IView
    {
        public void Write(int offset, ReadOnlySpan<byte> bytes) =>
            file.TryWrite(new ByteCount((ulong)(BufferRig.Page + offset)), bytes, out _).ThrowIfError();

        public void Read(Span<byte> bytes) => Assert.That(file.Read(new ByteCount(BufferRig.Page), bytes), Is.EqualTo(bytes.Length));
    }

    private sealed class DeviceBytes(BufferAttachment attachment) : IView
    {
        public void Write(int offset, ReadOnlySpan<byte> bytes)
        {
            using BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
            int start = 0;
            foreach (DmaSegment segment in mapping.Segments)
            {
                int length = (int)segment.Length.Value;
                int from = Math.Max(offset, start);
                int to = Math.Min(offset + bytes.Length, start + length);
                if (from < to)
                {
                    var address = new DmaAddr(segment.Address.Value + (ulong)(from - start));
                    attachment.Device.Port.TryWrite(address, bytes[(from - offset)..(to - offset)], out _).ThrowIfError();
                }

                start += length;
            }
        }

        public void Read(Span<byte> bytes)
        {
            using BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
            PeerRig.Read(attachment.Device, mapping.Segments).CopyTo(bytes);
        }
    }
}
