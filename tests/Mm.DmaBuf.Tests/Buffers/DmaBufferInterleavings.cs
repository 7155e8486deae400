using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Buffers;

/// <summary>Poll, close and signal in every order (museum 19).</summary>
internal sealed class DmaBufferInterleavings
{
    [Test]
    public void Close_WithAPollArmed_AgainstSignal_ReleasesOnce()
    {
        Exploration result = new Explorer().Explore(static points =>
        {
            var rig = new BufferRig();
            var exporter = new FakeExporter(rig.Machine);
            DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
            DmaFence[] fences = [rig.Fence(), rig.Fence()];
            foreach (DmaFence fence in fences)
            {
                BufferRig.Add(handle!.Buffer, fence, FenceUsage.Write);
            }

            int woken = 0;
            SyncAccess ready = SyncAccess.None;
            return new Scenario()
                .Actor("poller", () =>
                {
                    using BufferHandle own = handle!.Duplicate();
                    points.Reach("before-poll");
                    ready = own.Buffer.Poll(SyncAccess.Read | SyncAccess.Write, () => woken++);
                    points.Reach("polled");
                })
                .Actor("signaler", () =>
                {
                    points.Reach("before-first");
                    _ = fences[0].Signal();
                    points.Reach("before-second");
                    _ = fences[1].Signal();
                })
                .Always("released after the last use", () => exporter.Releases == 0 || rig.System.Buffers.Count == 0)
                .Finally("ready at once, or woken once", () => ready == SyncAccess.None ? woken == 1 : woken == 0)
                .Finally("released once, when closed", () =>
                {
                    bool isEarly = exporter.Releases != 0;
                    handle!.Dispose();
                    rig.Dispose();
                    return !isEarly && exporter.Releases == 1;
                });
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(5));
    }

    [Test]
    public void Close_OfEveryHandle_AgainstSignal_ReleasesAfterTheCallback()
    {
        new Explorer().Explore(static points =>
        {
            var rig = new BufferRig();
            var exporter = new FakeExporter(rig.Machine);
            DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
            DmaFence fence = rig.Fence();
            BufferRig.Add(handle!.Buffer, fence, FenceUsage.Write);
            BufferHandle other = handle.Duplicate();
            int releasesAtWake = -1;
            _ = handle.Buffer.Poll(SyncAccess.Write, () => releasesAtWake = exporter.Releases);
            return new Scenario()
                .Actor("closer", () =>
                {
                    points.Reach("before-close");
                    handle.Dispose();
                })
                .Actor("other", () =>
                {
                    points.Reach("before-close");
                    other.Dispose();
                })
                .Actor("signaler", () =>
                {
                    points.Reach("before-signal");
                    _ = fence.Signal();
                })
                .Finally("the callback saw the buffer alive", () => releasesAtWake == 0)
                .Finally("released once", () =>
                {
                    rig.Dispose();
                    return exporter.Releases == 1;
                });
        }).ThrowIfFailed();
    }
}
