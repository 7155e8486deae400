using Mm.Core;
using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Tests.Buffers;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BufferCpuMapTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Write_AcrossPages_IsReadThroughAnotherMap()
    {
        using BufferHandle handle = rig.Heap(5 * BufferRig.Page);
        using BufferCpuMap whole = Map(handle, 0, 5);
        using BufferCpuMap part = Map(handle, 1, 3);
        byte[] written = BufferRig.Bytes(9000, seed: 3);
        Assert.That(part.TryWrite(new ByteCount(100), written), Is.EqualTo(Errno.Ok));
        byte[] read = new byte[written.Length];
        Assert.That(whole.TryRead(new ByteCount(BufferRig.Page + 100), read), Is.EqualTo(Errno.Ok));
        Assert.That(read, Is.EqualTo(written));
    }

    [Test]
    public void Fault_OnePageBeyondTheMap_IsRefused()
    {
        using BufferHandle handle = rig.Heap(3 * BufferRig.Page);
        using BufferCpuMap map = Map(handle, 1, 1);
        Assert.That(map.TryFault(PageCount.Zero, out _), Is.EqualTo(Errno.Ok));
        Assert.That(map.TryFault(PageCount.One, out _), Is.EqualTo(Errno.EFAULT), "museum 23");
        Assert.That(map.TryRead(new ByteCount(BufferRig.Page - 1), new byte[2]), Is.EqualTo(Errno.EFAULT));
        Assert.That(map.TryWrite(new ByteCount(BufferRig.Page), new byte[1]), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void Map_OutlivesEveryOtherHandle()
    {
        BufferHandle handle = rig.Heap();
        BufferCpuMap map = Map(handle, 0, 1);
        handle.Dispose();
        Assert.That(map.TryWrite(ByteCount.Zero, [1, 2]), Is.EqualTo(Errno.Ok));
        map.Dispose();
        Assert.That(rig.System.Buffers.Count, Is.Zero);
        Assert.That(() => map.TryRead(ByteCount.Zero, new byte[1]), Throws.InstanceOf<ObjectDisposedException>());
    }

    private static BufferCpuMap Map(BufferHandle handle, int first, int count)
    {
        handle.Buffer.TryMapPages(new PageCount((ulong)first), new PageCount((ulong)count), out BufferCpuMap? map).ThrowIfError();
        return map!;
    }
}
