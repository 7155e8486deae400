using Mm.Core;
using Mm.Core.Checks;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Gpus.Objects;

/// <summary>Moves and evictions against who uses the buffer, in every order of their steps: no byte is lost.</summary>
internal sealed class GpuObjectInterleavings
{
    [Test]
    public void Move_AgainstADeviceThatWrites_LosesNoByte()
    {
        Exploration result = new Explorer { MaxInterruptions = 3 }.Explore(static points =>
        {
            var rig = new GpuRig(memoryKiB: 2048, visibleKiB: 64, points: Quiet(points));
            GpuObject target = rig.Create(1, GpuPlaces.VisibleVram);
            BufferHandle handle = GpuRig.Export(target);
            BufferAttachment near = GpuRig.Attach(handle, rig.Near, new TellingImporter());
            BufferMapping mapping = GpuRig.Map(near);
            DmaAddr address = mapping.Segments[0].Address;
            var work = new DmaFence(rig.System.Contexts, rig.System.Contexts.Next(), seqno: 1);
            using (ReservationLock held = target.Reservation.Lock())
            {
                held.TryReserve(1).ThrowIfError();
                held.Add(work, FenceUsage.Write);
            }

            bool isWritten = true;
            return new Scenario()
                .Actor("device", () =>
                {
                    isWritten &= rig.Near.Port.TryWrite(address, [1, 2], out _).IsOk;
                    points.Reach("between-writes");
                    isWritten &= rig.Near.Port.TryWrite(new DmaAddr(address.Value + 2), [3, 4], out _).IsOk;
                    work.Signal().ThrowIfError();
                })
                .Actor("owner", () => target.TryMoveTo(GpuPlaces.HiddenVram).ThrowIfError())
                .Finally("all was written before the move, and is there after it", () =>
                {
                    bool isThere = isWritten && target.Place == GpuPlaces.HiddenVram && GpuRig.Read(target).AsSpan(0, 4) is [1, 2, 3, 4];
                    End(rig, mapping, near, handle, target);
                    return isThere;
                });
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(3));
    }

    [Test]
    public void Eviction_AgainstWorkThatBegins_LosesNoByte()
    {
        Exploration result = new Explorer { MaxInterruptions = 3 }.Explore(static points =>
        {
            var rig = new GpuRig(memoryKiB: 2048, visibleKiB: 4, points: Quiet(points)); // one page behind the BAR
            GpuObject old = rig.Create(1, GpuPlaces.VisibleVram);
            GpuRig.Write(old, 0, [9, 9]);
            GpuObject? fresh = null;
            return new Scenario()
                .Actor("worker", () =>
                {
                    old.TryBeginWork(SyncAccess.Write, out GpuWork? work).ThrowIfError();
                    work!.TryWrite(ByteCount.Zero, [1]).ThrowIfError();
                    points.Reach("between-writes");
                    work.TryWrite(new ByteCount(1), [2]).ThrowIfError();
                    work.Dispose();
                })
                .Actor("other", () => fresh = rig.Create(1, GpuPlaces.VisibleVram))
                .Finally("both have their bytes", () =>
                {
                    bool isThere = GpuRig.Read(old).AsSpan(0, 2) is [1, 2] && !GpuRig.Read(fresh!).AsSpan().ContainsAnyExcept((byte)0);
                    End(rig, old, fresh!);
                    return isThere;
                });
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(3));
    }

    // Points that are reached with the reservation locked, which another actor enters, are passed by.
    private static SomePoints Quiet(IYieldPoints points) => new(points);

    private static void End(GpuRig rig, params IDisposable[] held)
    {
        foreach (IDisposable each in held)
        {
            each.Dispose();
        }

        rig.Dispose();
    }

    private sealed class SomePoints(IYieldPoints points) : IYieldPoints
    {
        public void Reach(string point)
        {
            if (point is "signal" or "gpu-move")
            {
                points.Reach(point);
            }
        }

        public void WaitUntil(string point, Func<bool> isReady) => points.WaitUntil(point, isReady);
    }
}
