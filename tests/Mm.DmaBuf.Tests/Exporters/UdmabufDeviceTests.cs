using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests.Exporters;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class UdmabufDeviceTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [TestCase(FileSeals.None, 22)]
    [TestCase(FileSeals.Grow, 22)]
    [TestCase(FileSeals.Shrink | FileSeals.Write, 22)]
    [TestCase(FileSeals.Shrink | FileSeals.FutureWrite, 22)]
    [TestCase(FileSeals.Shrink, 0)]
    [TestCase(FileSeals.Shrink | FileSeals.Grow | FileSeals.Seal | FileSeals.Exec, 0)]
    public void Create_BySeals(FileSeals seals, int expected)
    {
        using MemoryFile file = rig.Machine.CreateMemoryFile(allowsSealing: true);
        file.TryResize(new PageCount(2).ToBytes()).ThrowIfError();
        file.TryAddSeals(seals).ThrowIfError();
        Assert.That(Create(out BufferHandle? handle, BufferRig.Item(file, 0, 2)).Number, Is.EqualTo(expected));
        handle?.Dispose();
    }

    [Test]
    public void Create_OfNoMemoryFile_IsEbadfd()
    {
        using MemoryFile file = rig.SealedFile(1);
        UdmabufItem bad = BufferRig.Item(file, 0, 1) with { File = null };
        Assert.That(Create(out _, BufferRig.Item(file, 0, 1), bad), Is.EqualTo(Errno.EBADFD));
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok), "no pin was left");
    }

    [Test]
    public void Create_OfAPartialLastPage_IsEinval()
    {
        using MemoryFile file = rig.Machine.CreateMemoryFile(allowsSealing: true);
        file.TryResize(new ByteCount(BufferRig.Page + 100)).ThrowIfError();
        file.TryAddSeals(FileSeals.Shrink).ThrowIfError();
        Assert.That(Create(out _, BufferRig.Item(file, 0, 2)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Create(out BufferHandle? handle, BufferRig.Item(file, 0, 1)), Is.EqualTo(Errno.Ok));
        handle!.Dispose();
    }

    [Test]
    public void Create_OfAnEmptyPieceAmongOthers_IsEinval()
    {
        using MemoryFile file = rig.SealedFile(1);
        Assert.That(Create(out _, BufferRig.Item(file, 0, 1), BufferRig.Item(file, 0, 0)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Create(out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Create_BeyondItsLimits_IsEinval()
    {
        using MemoryFile file = rig.SealedFile(4);
        var small = new UdmabufDevice(rig.System.Buffers) { MaxItems = 1, MaxSize = new PageCount(3).ToBytes() };
        Assert.That(small.TryCreate([BufferRig.Item(file, 0, 4)], out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(small.TryCreate([BufferRig.Item(file, 0, 1), BufferRig.Item(file, 1, 1)], out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(small.TryCreate([BufferRig.Item(file, 0, 3)], out BufferHandle? handle), Is.EqualTo(Errno.Ok));
        handle!.Dispose();
    }

    [Test]
    public void Create_FailedAtEachAllocation_LeavesNoPin()
    {
        using MemoryFile file = rig.SealedFile(3);
        foreach (FaultPoint point in (FaultPoint[])[FaultPoint.Slab, FaultPoint.PageAlloc])
        {
            for (ulong nth = 1; nth <= 3; nth++)
            {
                rig.Machine.Faults.FailNth(point, nth);
                using MemoryFile fresh = rig.SealedFile(3);
                Assert.That(Create(out _, BufferRig.Item(fresh, 0, 3)), Is.EqualTo(Errno.ENOMEM), $"{point} {nth}");
                rig.Machine.Faults.Clear();
                Assert.That(fresh.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok), $"{point} {nth}: no pin was left");
            }
        }
    }

    [Test]
    public void Pages_InUseByABuffer_KeepTheWriteSealOff()
    {
        using MemoryFile file = rig.SealedFile(1);
        Create(out BufferHandle? handle, BufferRig.Item(file, 0, 1)).ThrowIfError();
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.EBUSY));
        handle!.Dispose();
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void CpuAccess_End_NeedsABeginning()
    {
        using MemoryFile file = rig.SealedFile(1);
        Create(out BufferHandle? handle, BufferRig.Item(file, 0, 1)).ThrowIfError();
        using (handle)
        {
            const CpuAccessFlags End = CpuAccessFlags.Read | CpuAccessFlags.End;
            Assert.That(handle!.Buffer.TrySync(End, timeoutNs: 0), Is.EqualTo(Errno.EINVAL));
            rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
            Assert.That(handle.Buffer.TrySync(CpuAccessFlags.Read, timeoutNs: 0), Is.EqualTo(Errno.ENOMEM));
            Assert.That(handle.Buffer.TrySync(CpuAccessFlags.Read, timeoutNs: 0), Is.EqualTo(Errno.Ok));
            Assert.That(handle.Buffer.TrySync(End, timeoutNs: 0), Is.EqualTo(Errno.Ok));
        }
    }

    private Errno Create(out BufferHandle? handle, params UdmabufItem[] items) => rig.System.Udmabuf.TryCreate(items, out handle);
}
