using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Attachments;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Exporters;

/// <summary>A move against a device that writes, in every order of their steps: what was written under a fence is not lost.</summary>
internal sealed class MovingBufferInterleavings
{
    [Test]
    public void Move_AgainstADeviceThatWrites_LosesNoByte()
    {
        Exploration result = new Explorer().Explore(static points =>
        {
            var rig = new PeerRig(points);
            BufferHandle handle = rig.Moving(out MovingBuffer exporter, pages: 1);
            BufferAttachment.TryAttach(handle, rig.Near, new FakeImporter(), out BufferAttachment? attachment).ThrowIfError();
            BufferMapping mapping = BufferAttachmentTests.Map(attachment!, DmaDirection.Bidirectional);
            DmaAddr address = mapping.Segments[0].Address;
            DmaFence work = rig.Ram.Fence();
            BufferRig.Add(handle.Buffer, work, FenceUsage.Write);
            bool isWritten = true;
            return new Scenario()
                .Actor("device", () =>
                {
                    isWritten &= rig.Near.Port.TryWrite(address, [1, 2], out _).IsOk;
                    points.Reach("between-writes");
                    isWritten &= rig.Near.Port.TryWrite(new DmaAddr(address.Value + 2), [3, 4], out _).IsOk;
                    work.Signal().ThrowIfError();
                })
                .Actor("owner", () => exporter.TryMoveToRam().ThrowIfError())
                .Finally("all was written before the move, and is there after it", () =>
                {
                    byte[] read = new byte[4];
                    using (KernelView view = BufferRig.View(handle.Buffer))
                    {
                        view.TryRead(ByteCount.Zero, read).ThrowIfError();
                    }

                    bool isThere = isWritten && !exporter.IsInDevice && read is [1, 2, 3, 4];
                    mapping.Dispose();
                    attachment!.Dispose();
                    handle.Dispose();
                    rig.Dispose();
                    return isThere;
                });
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(3));
    }
}
