using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Tests.Attachments;

internal sealed class BufferMappingTests
{
    [Test]
    public void Mapping_OfRam_IsAScatterlistToo()
    {
        using var rig = new BufferRig();
        using BufferHandle handle = rig.Udmabuf(rig.SealedFile(3), 0, 3);
        BufferAttachment.TryAttach(handle, rig.Device(), importer: null, out BufferAttachment? attachment).ThrowIfError();
        using (attachment)
        {
            using BufferMapping mapping = BufferAttachmentTests.Map(attachment!, DmaDirection.ToDevice);
            var table = new Scatterlist(rig.Machine.RangeOwners);
            Assert.That(mapping.TryAppendTo(table, Scatterlist.LargestSegment), Is.EqualTo(Errno.Ok));
            Assert.That((table.Length, mapping.List.Length), Is.EqualTo((handle.Buffer.Size, handle.Buffer.Size)));
            mapping.SyncForCpu();
            mapping.SyncForDevice();
            Assert.That(mapping.TryAppendTo(table, ByteCount.Zero), Is.EqualTo(Errno.EINVAL));
        }
    }

    [Test]
    public void Mapping_OfABar_IsNoScatterlist()
    {
        using var rig = new PeerRig();
        using BufferHandle handle = rig.Bar(out _, PeerRig.Piece(0, 512));
        BufferAttachment.TryAttach(handle, rig.Near, new FakeImporter(), out BufferAttachment? attachment).ThrowIfError();
        using (attachment)
        {
            using BufferMapping mapping = BufferAttachmentTests.Map(attachment!, DmaDirection.ToDevice);
            Assert.That(mapping.TryAppendTo(new Scatterlist(rig.Pci.Owners), Scatterlist.LargestSegment), Is.EqualTo(Errno.EFAULT));
            Assert.That(mapping.ToString(), Does.Contain("512 B"));
            mapping.Dispose();
            mapping.Dispose();
            Assert.That((mapping.ToString(), mapping.IsValid), Is.EqualTo(("ended", false)));
        }
    }
}
