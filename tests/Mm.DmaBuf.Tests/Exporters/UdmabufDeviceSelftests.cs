using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests.Exporters;

/// <summary>
/// What the kernel's test of udmabuf asserts (selftests/drivers/dma-buf/udmabuf.c), case by case; the one with huge pages is
/// left out, as files of Mm have none.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class UdmabufDeviceSelftests : IDisposable
{
    private const int Pages = 64;

    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Case1_PageUnalignedOffset_IsRefused()
    {
        using MemoryFile file = rig.SealedFile(Pages);
        Assert.That(Create(new UdmabufItem(file, new ByteCount(BufferRig.Page / 2), new ByteCount(BufferRig.Page))), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Case2_OddSize_IsRefused()
    {
        using MemoryFile file = rig.SealedFile(Pages);
        Assert.That(Create(new UdmabufItem(file, ByteCount.Zero, new ByteCount(BufferRig.Page / 2))), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Case3_NotAMemfd_IsRefused()
    {
        Assert.That(Create(new UdmabufItem(null, ByteCount.Zero, new ByteCount(BufferRig.Page))), Is.EqualTo(Errno.EBADFD));
    }

    [Test]
    public void Case4_Legal_Works()
    {
        using MemoryFile file = rig.SealedFile(Pages);
        Assert.That(Create(BufferRig.Item(file, 0, Pages / 2)), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Case5_BytesOfFileAndBuffer_AreTheSame()
    {
        using MemoryFile file = rig.SealedFile(Pages);
        using BufferHandle handle = rig.Udmabuf(file, 16, 32);
        using (KernelView view = BufferRig.View(handle.Buffer))
        {
            byte[] written = BufferRig.Bytes(32 * BufferRig.Page, seed: 5);
            file.TryWrite(new PageCount(16).ToBytes(), written, out _).ThrowIfError();
            byte[] read = new byte[written.Length];
            view.TryRead(ByteCount.Zero, read).ThrowIfError();
            Assert.That(read, Is.EqualTo(written));

            byte[] back = BufferRig.Bytes(32 * BufferRig.Page, seed: 6);
            view.TryWrite(ByteCount.Zero, back).ThrowIfError();
            Assert.That(file.Read(new PageCount(16).ToBytes(), read), Is.EqualTo(read.Length));
            Assert.That(read, Is.EqualTo(back));
        }
    }

    private Errno Create(UdmabufItem item)
    {
        Errno errno = rig.System.Udmabuf.TryCreate([item], out BufferHandle? handle);
        handle?.Dispose();
        return errno;
    }
}
