using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests.Exporters;

/// <summary>What the kernel's tests of heaps assert, under their names; a device of its own stands for vgem.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class DmaHeapsSelftests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void test_alloc_and_import()
    {
        using BufferHandle handle = rig.Heap(1 << 20);
        Assert.That(BufferAttachment.TryAttach(handle, rig.Device("vgem"), importer: null, out BufferAttachment? vgem), Is.EqualTo(Errno.Ok));
        using (vgem)
        {
            vgem!.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
            using (mapping)
            {
                PeerRig.Write(vgem.Device, mapping!.Segments, BufferRig.Bytes(1 << 20, seed: 7));
            }

            Assert.That(handle.Buffer.TrySync(CpuAccessFlags.Read | CpuAccessFlags.Write, timeoutNs: 0), Is.EqualTo(Errno.Ok));
            using KernelView view = BufferRig.View(handle.Buffer);
            byte[] read = new byte[1 << 20];
            view.TryRead(ByteCount.Zero, read).ThrowIfError();
            Assert.That(read, Is.EqualTo(BufferRig.Bytes(1 << 20, seed: 7)));
            const CpuAccessFlags End = CpuAccessFlags.Read | CpuAccessFlags.Write | CpuAccessFlags.End;
            Assert.That(handle.Buffer.TrySync(End, timeoutNs: 0), Is.EqualTo(Errno.Ok));
        }
    }

    [TestCase(4 << 10)]
    [TestCase(1 << 20)]
    public void test_alloc_zeroed(int size)
    {
        var handles = new List<BufferHandle>();
        for (int count = 0; count < 8; count++)
        {
            BufferHandle handle = rig.Heap(size);
            using KernelView view = BufferRig.View(handle.Buffer);
            view.TryWrite(ByteCount.Zero, Enumerable.Repeat((byte)0xff, size).ToArray()).ThrowIfError();
            handles.Add(handle);
        }

        handles.ForEach(handle => handle.Dispose());
        handles.Clear();
        byte[] read = new byte[size];
        for (int count = 0; count < 8; count++)
        {
            BufferHandle handle = rig.Heap(size);
            using KernelView view = BufferRig.View(handle.Buffer);
            view.TryRead(ByteCount.Zero, read).ThrowIfError();
            Assert.That(read, Is.All.Zero);
            handles.Add(handle);
        }

        handles.ForEach(handle => handle.Dispose());
    }

    [TestCase(16, TestName = "test_alloc_compat older")]
    [TestCase(24, TestName = "test_alloc_compat same")]
    [TestCase(32, TestName = "test_alloc_compat newer")]
    public void test_alloc_compat(int structureSize)
    {
        byte[] argument = new byte[structureSize];
        argument[1] = 0x10;
        argument[12] = 2;
        argument.AsSpan(Math.Min(24, structureSize)).Fill(0xff);
        HeapRequest request = HeapRequest.Read(argument);
        Assert.That(request, Is.EqualTo(new HeapRequest(new ByteCount(4096))));
        Assert.That(Allocate(request), Is.EqualTo(Errno.Ok));
    }

    [TestCase("invalid fd", 1U, 2U, 0UL)]
    [TestCase("invalid heap flags", 0U, 2U, 0xffUL)]
    [TestCase("invalid fd flags", 0U, 0xff00U, 0UL)]
    public void test_alloc_errors(string name, uint number, uint fileFlags, ulong heapFlags)
    {
        Assert.That(Allocate(new HeapRequest(new ByteCount(4096), number, fileFlags, heapFlags)), Is.EqualTo(Errno.EINVAL), name);
    }

    private Errno Allocate(HeapRequest request)
    {
        using FileTable files = rig.System.CreateFileTable();
        return rig.System.Heaps.TryAllocate("system", request, files, out _);
    }
}
