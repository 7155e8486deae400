using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Buffers;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class FileTableTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Install_GivesTheLowestFreeNumber()
    {
        using FileTable files = rig.System.CreateFileTable();
        using BufferHandle handle = rig.Heap();
        FileNumber[] numbers = [Install(files, handle), Install(files, handle), Install(files, handle)];
        Assert.That(numbers.Select(number => number.Value), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(files.TryClose(numbers[1]), Is.EqualTo(Errno.Ok));
        Assert.That(files.TryClose(numbers[1]), Is.EqualTo(Errno.EBADF));
        Assert.That(Install(files, handle), Is.EqualTo(numbers[1]));
        Assert.That((files.Count, handle.Buffer.HandleCount), Is.EqualTo((3, 4)));
    }

    [Test]
    public void GetBuffer_OfNoFileAndOfAnother_IsToldApart()
    {
        using FileTable files = rig.System.CreateFileTable();
        using var sync = new SyncFile(rig.Contexts.Stub);
        files.TryInstall(sync, out FileNumber number).ThrowIfError();
        Assert.That(files.TryGetBuffer(number, out BufferHandle? handle), Is.EqualTo(Errno.EINVAL));
        Assert.That(files.TryGetBuffer(new FileNumber(9), out handle), Is.EqualTo(Errno.EBADF));
        Assert.That((handle, files.TryGetSyncFile(number, out _), files.TryGetSyncFile(new FileNumber(9), out _)), Is.EqualTo(((BufferHandle?)null, true, false)));
    }

    [Test]
    public void Pass_ToAnotherProcess_SharesTheBuffer()
    {
        using FileTable sender = rig.System.CreateFileTable();
        using FileTable receiver = rig.System.CreateFileTable();
        BufferHandle handle = rig.Heap();
        FileNumber here = Install(sender, handle);
        handle.Dispose();
        sender.TryPass(here, receiver, out FileNumber there).ThrowIfError();
        sender.TryClose(here).ThrowIfError();
        Assert.That(rig.System.Buffers.Count, Is.EqualTo(1));
        receiver.TryGetBuffer(there, out BufferHandle? got).ThrowIfError();
        Assert.That(got!.Buffer.HandleCount, Is.EqualTo(2));
        got.Dispose();
        Assert.That(sender.TryPass(here, receiver, out _), Is.EqualTo(Errno.EBADF));
        receiver.Dispose();
        Assert.That(rig.System.Buffers.Count, Is.Zero);
    }

    [Test]
    public void Pass_OfASyncFile_KeepsFenceAndName()
    {
        using FileTable sender = rig.System.CreateFileTable();
        using FileTable receiver = rig.System.CreateFileTable();
        using var sync = new SyncFile(rig.Fence());
        sync.TryMerge(sync, "both", flags: 0, out SyncFile? named).ThrowIfError();
        sender.TryInstall(named!, out FileNumber here).ThrowIfError();
        named!.Dispose();
        sender.TryPass(here, receiver, out FileNumber there).ThrowIfError();
        sender.TryClose(here).ThrowIfError();
        Assert.That(receiver.TryGetSyncFile(there, out SyncFile? got), Is.True);
        Assert.That((got!.Name, got.Fence), Is.EqualTo(("both", sync.Fence)));
    }

    [Test]
    public void Install_IntoAFullTableOrWithoutMemory_LeavesTheCallersHandle()
    {
        using var files = new FileTable(rig.Machine, limit: 1);
        BufferHandle handle = rig.Heap();
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(files.TryInstall(handle, out _), Is.EqualTo(Errno.ENOMEM));
        _ = Install(files, handle);
        Assert.That(files.TryInstall(handle, out _), Is.EqualTo(Errno.EMFILE));
        Assert.That(handle.Buffer.HandleCount, Is.EqualTo(2), "the table's and the caller's (museum 1)");
        handle.Dispose();
        Assert.That(() => new FileTable(rig.Machine, limit: 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private static FileNumber Install(FileTable files, BufferHandle handle)
    {
        files.TryInstall(handle, out FileNumber number).ThrowIfError();
        return number;
    }
}
