using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Buffers;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Attachments;

/// <summary>Attach, map, move, revoke, detach and close in every order, for two importers, one static and one dynamic.</summary>
internal sealed class BufferAttachmentInterleavings
{
    [Test]
    public void TwoImporters_AgainstMoveAndRevoke_NeverReadWhereTheMemoryIsNot()
    {
        Exploration result = new Explorer { MaxInterruptions = 3 }.Explore(static points =>
        {
            var stage = new Stage(points);
            return new Scenario()
                .Actor("static", () => stage.Imports("static", importer: null))
                .Actor("dynamic", () => stage.Imports("dynamic", new FakeImporter()))
                .Actor("owner", stage.MovesAndRevokes)
                .Always("no importer reads bytes from where the memory is not", () => stage.IsSound)
                .Finally("pins, attachments and mappings are given back", stage.IsGivenBack);
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(500));
    }

    [Test]
    public void Revoke_ThatEndsNoAddresses_IsFoundOut()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(static points =>
        {
            var stage = new Stage(points) { ForgetsToEnd = true };
            return new Scenario()
                .Actor("dynamic", () => stage.Imports("dynamic", new FakeImporter()))
                .Actor("owner", stage.MovesAndRevokes)
                .Always("no importer reads bytes from where the memory is not", () => stage.IsSound);
        });
        Assert.That(result.ThrowIfFailed, Throws.InstanceOf<InterleavingFailedException>());
    }

    [Test]
    public void Close_AgainstImporters_ReleasesOnceWhenTheLastIsGone()
    {
        Exploration result = new Explorer { MaxInterruptions = 3 }.Explore(static points =>
        {
            var stage = new Stage(points);
            return new Scenario()
                .Actor("static", () => stage.Imports("static", importer: null))
                .Actor("dynamic", () => stage.Imports("dynamic", new FakeImporter()))
                .Actor("closer", stage.Closes)
                .Finally("pins, attachments and mappings are given back", stage.IsGivenBack);
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(100));
    }

    // The memory is at one of three places, each full of its own number; nowhere, when it is revoked.
    private sealed class Stage
    {
        private static readonly ulong[] Places = [0x100000, 0x200000, 0x300000];

        private readonly IYieldPoints points;
        private readonly BufferRig rig = new();
        private readonly FakeExporter exporter;
        private readonly BufferHandle handle;
        private int place;
        private bool isRevoked;

        internal Stage(IYieldPoints points)
        {
            this.points = points;
            exporter = new FakeExporter(rig.Machine, pages: 1) { Traits = new BufferTraits { Moves = true } };
            DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? made).ThrowIfError();
            handle = made!;
            for (int index = 0; index < Places.Length; index++)
            {
                using var lease = rig.Machine.Lease(new PhysRange(new PhysAddr(Places[index]), PageSize.Small.Bytes));
                lease.Bytes.Fill((byte)(index + 1));
            }
        }

        internal bool ForgetsToEnd { get; init; }

        internal bool IsSound { get; private set; } = true;

        internal void Imports(string name, IBufferImporter? importer)
        {
            using BufferHandle own = TryHold(out BufferHandle? held) ? held! : null!;
            if (own is null)
            {
                return;
            }

            points.Reach("before-attach");
            if (!BufferAttachment.TryAttach(own, rig.Device(name), importer, out BufferAttachment? attachment).IsOk)
            {
                return;
            }

            points.Reach("attached");
            if (attachment!.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).IsOk)
            {
                points.Reach("mapped");
                Reads(attachment, mapping!);
                points.Reach("read");
                Reads(attachment, mapping!);
                mapping!.Dispose();
            }

            points.Reach("before-detach");
            attachment.Dispose();
        }

        internal void MovesAndRevokes()
        {
            using BufferHandle own = handle.Duplicate();
            points.Reach("before-move");
            MovesTo(1);
            points.Reach("before-revoke");
            using (ReservationLock held = own.Buffer.Reservation.Lock())
            {
                exporter.Refusal = Errno.ENODEV;
                own.Buffer.NotifyMove(held, MoveNotice.Revoked);
                isRevoked = true;
                if (!ForgetsToEnd)
                {
                    exporter.Move(new PhysAddr(Places[place]));
                }
            }

            points.Reach("before-restore");
            using (ReservationLock held = own.Buffer.Reservation.Lock())
            {
                exporter.Refusal = Errno.Ok;
                isRevoked = false;
                own.Buffer.NotifyMove(held, MoveNotice.Restored);
            }

            MovesTo(2);
        }

        internal void Closes()
        {
            points.Reach("before-close");
            handle.Dispose();
        }

        internal bool IsGivenBack()
        {
            handle.Dispose();
            bool isBack = exporter is { Pins: 0, Attached: 0, Releases: 1 } && rig.System.Buffers.Count == 0;
            rig.Dispose();
            return isBack;
        }

        private void MovesTo(int next)
        {
            using ReservationLock held = handle.Buffer.Reservation.Lock();
            if (exporter.Pins == 0)
            {
                handle.Buffer.NotifyMove(held, MoveNotice.MayMove);
                exporter.Move(new PhysAddr(Places[next]));
                place = next;
            }
        }

        private bool TryHold(out BufferHandle? held)
        {
            try
            {
                held = handle.Duplicate();
                return true;
            }
            catch (ObjectDisposedException)
            {
                held = null; // closed before this process was given the file
                return false;
            }
        }

        // A device that reads where it was told to read once: what it gets is where the memory is, or a fault.
        private void Reads(BufferAttachment attachment, BufferMapping mapping)
        {
            DmaAddr address = mapping.Segments[0].Address;
            byte[] got = [0];
            Errno errno = attachment.Device.Port.TryRead(address, got, out _);
            IsSound &= errno.IsOk == mapping.IsValid;
            IsSound &= !errno.IsOk || (!isRevoked && got[0] == place + 1);
        }
    }
}
