using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests.Exporters;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class DmaHeapsTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [TestCase("", 22)]
    [TestCase("system", 22)]
    [TestCase("other", 0)]
    public void Add_ByName_MustBeNewAndNotEmpty(string name, int expected)
    {
        Assert.That(rig.System.Heaps.TryAdd(new NamedHeap(name)).Number, Is.EqualTo(expected));
    }

    [Test]
    public void Allocate_FromAnUnknownHeap_IsEnoent()
    {
        Assert.That(rig.System.Heaps.TryAllocate("cma", new HeapRequest(new ByteCount(1)), out _), Is.EqualTo(Errno.ENOENT));
    }

    [TestCase(0UL, 0U, 2U, 0UL)]
    [TestCase(4096UL, 1U, 2U, 0UL)]
    [TestCase(4096UL, 0U, 4U, 0UL)]
    [TestCase(4096UL, 0U, 2U, 1UL)]
    [TestCase(ulong.MaxValue, 0U, 2U, 0UL)]
    public void Allocate_OfAnIllegalRequest_IsEinval(ulong length, uint number, uint fileFlags, ulong heapFlags)
    {
        var request = new HeapRequest(new ByteCount(length), number, fileFlags, heapFlags);
        Assert.That(rig.System.Heaps.TryAllocate("system", request, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Allocate_WithoutRoomForTheFile_LeavesNoBuffer()
    {
        using var files = new FileTable(rig.Machine, limit: 1);
        var request = new HeapRequest(new ByteCount(1));
        rig.System.Heaps.TryAllocate("system", request, files, out _).ThrowIfError();
        Assert.That(rig.System.Heaps.TryAllocate("system", request, files, out _), Is.EqualTo(Errno.EMFILE));
        Assert.That(rig.System.Buffers.Count, Is.EqualTo(1));
    }

    private sealed class NamedHeap(string name) : IDmaHeap
    {
        public string Name => name;

        public Errno TryAllocate(ByteCount size, out BufferHandle? handle)
        {
            handle = null;
            return Errno.ENOMEM;
        }
    }
}
