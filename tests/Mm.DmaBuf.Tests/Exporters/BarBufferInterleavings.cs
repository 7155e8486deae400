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

/// <summary>Taking memory away against a device that works with it, in every order of their steps (museum 31).</summary>
internal sealed class BarBufferInterleavings
{
    [Test]
    public void Revoke_AgainstADeviceAtWork_ReturnsWhenTheWorkHasEnded_AndThenNoByteIsRead()
    {
        Exploration result = new Explorer().Explore(static points =>
        {
            var rig = new PeerRig(points);
            BufferHandle handle = rig.Bar(out BarBuffer exporter, PeerRig.Piece(0, 4096));
            BufferAttachment.TryAttach(handle, rig.Near, new FakeImporter(), out BufferAttachment? attachment).ThrowIfError();
            BufferMapping mapping = BufferAttachmentTests.Map(attachment!, DmaDirection.Bidirectional);
            DmaAddr address = mapping.Segments[0].Address;
            DmaFence work = rig.Ram.Fence();
            BufferRig.Add(handle.Buffer, work, FenceUsage.Bookkeep);
            bool isRevoked = false;
            bool isSound = true;
            return new Scenario()
                .Actor("device", () =>
                {
                    isSound &= Reads(rig.Near, address);
                    points.Reach("at-work");
                    isSound &= Reads(rig.Near, address);
                    work.Signal().ThrowIfError();
                    points.Reach("after-work");
                    isSound &= !(isRevoked && Reads(rig.Near, address));
                })
                .Actor("owner", () =>
                {
                    exporter.TryRevoke().ThrowIfError();
                    isRevoked = true;
                })
                .Always("work is not cut, and after the revoke no byte is read", () => isSound)
                .Finally("all is over", () =>
                {
                    bool isOver = !Reads(rig.Near, address) && !mapping.IsValid;
                    mapping.Dispose();
                    attachment!.Dispose();
                    handle.Dispose();
                    rig.Dispose();
                    return isOver;
                });
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(5));
    }

    private static bool Reads(DmaDevice device, DmaAddr address) => device.Port.TryRead(address, new byte[8], out _).IsOk;
}
