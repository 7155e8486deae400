using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;
using Mm.Hmm.Copying;
using static Mm.Devices.Tests.Gpus.GpuRig;

namespace Mm.Devices.Tests.Gpus.Objects;

/// <summary>Random operations on buffers in a small GPU: whoever reads sees the bytes that were written last, wherever they lie.</summary>
internal sealed class GpuObjectProperties
{
    private static readonly GpuPlaces[] Places = [GpuPlaces.Ram, GpuPlaces.VisibleVram, GpuPlaces.HiddenVram];

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public bool Buffers_AnyOperations_KeepTheirBytes((byte Verb, byte Which, byte How, ushort At)[] steps)
    {
        using var rig = new GpuRig(memoryKiB: 2048, visibleKiB: 32); // 8 pages behind the BAR: pressure
        using var world = new World(rig);
        foreach ((byte verb, byte which, byte how, ushort at) in steps)
        {
            world.Step(verb, which, how, at);
            rig.Gpu.Validate();
        }

        return world.HoldsAll();
    }

    private sealed class World(GpuRig rig) : IDisposable
    {
        private readonly List<Entry> entries = [];

        internal void Step(byte verb, byte which, byte how, ushort at)
        {
            if (entries.Count < 2 || verb % 12 == 0)
            {
                TryAdd(pages: (how % 5) + 1, Places[at % 3]);
                return;
            }

            Entry entry = entries[which % entries.Count];
            switch (verb % 12)
            {
                case 1 when entries.Count > 2:
                    Assert.That(entry.Holds(), Is.True);
                    entry.Dispose();
                    _ = entries.Remove(entry);
                    break;
                case 2 or 3:
                    entry.WriteByGpu(at, how);
                    break;
                case 4 or 5:
                    entry.WriteByDevice(how, at, how);
                    break;
                case 6:
                    entry.WriteByCpu(at, how);
                    break;
                case 7 or 8:
                    Expect(entry.Target.TryMoveTo(Places[how % 3], timeoutNs: 0), Errno.ENOMEM, Errno.EBUSY);
                    break;
                case 9:
                    entry.Target.TrySetPreferred(Places[how % 3]).ThrowIfError();
                    break;
                case 10:
                    FailingMove(entry, how, at);
                    break;
                default:
                    entry.TogglePin();
                    break;
            }
        }

        internal bool HoldsAll() => entries.TrueForAll(static entry => entry.Holds());

        public void Dispose() => entries.ForEach(static entry => entry.Dispose());

        private void TryAdd(int pages, GpuPlaces preferred)
        {
            var request = new GpuObjectRequest(new PageCount((ulong)pages).ToBytes()) { Preferred = preferred };
            rig.Gpu.TryCreateObject(request, out GpuObject? made).ThrowIfError(); // RAM takes what the GPU does not
            entries.Add(new Entry(rig, made!));
        }

        private void FailingMove(Entry entry, byte how, ushort at)
        {
            rig.Machine.Faults.FailNth(at % 2 == 0 ? CopyFaults.Page : CopyFaults.Queue, (ulong)(how % 3) + 1);
            Expect(entry.Target.TryMoveTo(Places[at % 3], timeoutNs: 0), Errno.ENOMEM, Errno.EBUSY, Errno.EIO, Errno.EAGAIN);
            rig.Machine.Faults.Clear();
        }

        private static void Expect(Errno errno, params Errno[] refusals) =>
            Assert.That(errno.IsOk || refusals.Contains(errno), Is.True, $"{errno}");
    }

    private sealed class Entry : IDisposable
    {
        private readonly byte[] model;
        private readonly BufferHandle handle;
        private readonly BufferAttachment[] attachments;
        private readonly BufferCpuMap map;
        private AttachmentPin? pin;

        internal Entry(GpuRig rig, GpuObject target)
        {
            Target = target;
            model = new byte[target.Size.Value];
            handle = Export(target);
            attachments = [.. ((DmaDevice[])[rig.Near, rig.Across, rig.Far]).Select(device => Attach(handle, device, new TellingImporter()))];
            handle.Buffer.TryMapPages(PageCount.Zero, target.Size.ToPagesRoundDown(), out BufferCpuMap? made).ThrowIfError();
            map = made!;
        }

        internal GpuObject Target { get; }

        internal void WriteByGpu(int at, byte value) => Write(Target, 0, Change(at, value));

        internal void WriteByDevice(int which, int at, byte value)
        {
            BufferAttachment attachment = attachments[which % 3];
            Errno errno = attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping);
            if (errno.IsOk)
            {
                mapping!.Dispose();
                GpuRig.Write(attachment, 0, Change(at, value));
            }
            else
            {
                Assert.That(errno, Is.EqualTo(Errno.EBUSY), "pinned where this device does not reach it");
            }
        }

        internal void WriteByCpu(int at, byte value) => map.TryWrite(ByteCount.Zero, Change(at, value)).ThrowIfError();

        internal void TogglePin()
        {
            if (pin is not null)
            {
                pin.Dispose();
                pin = null;
                return;
            }

            using ReservationLock held = Target.Reservation.Lock();
            attachments[0].TryPin(held, out pin).ThrowIfError();
        }

        internal bool Holds()
        {
            byte[] read = new byte[model.Length];
            map.TryRead(ByteCount.Zero, read).ThrowIfError();
            return GpuRig.Read(Target).AsSpan().SequenceEqual(model) && read.AsSpan().SequenceEqual(model);
        }

        public void Dispose()
        {
            pin?.Dispose();
            map.Dispose();
            foreach (BufferAttachment attachment in attachments)
            {
                attachment.Dispose();
            }

            handle.Dispose();
            Target.Dispose();
        }

        private byte[] Change(int at, byte value)
        {
            model.AsSpan(at % model.Length).Fill(value);
            return model;
        }
    }
}
