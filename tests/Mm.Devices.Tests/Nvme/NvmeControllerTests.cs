using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Nvme;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Topologies;
using static Mm.Devices.Tests.Nvme.NvmeRig;

namespace Mm.Devices.Tests.Nvme;

internal sealed class NvmeControllerTests
{
    [Test]
    public void Buffer_OfADrive_IsPublishedForClientsThatReachIt()
    {
        using var rig = new NvmeRig();

        Assert.That(rig.Pci.Pools.TryFindNearest([PciAddress.Parse("0000:1d:00.0")], out P2pMemPool? nearest), Is.EqualTo(Errno.Ok));
        Assert.That(nearest, Is.SameAs(rig.Drive.Buffer));
        Assert.That(nearest!.Size, Is.EqualTo(ByteCount.FromMiB(512)));
    }

    [Test]
    public void QueuePair_InTheBuffer_IsReadFromThere()
    {
        using var rig = new NvmeRig();
        rig.Drive.TryCreateQueuePair(64, out NvmeQueuePair? queue, isInBuffer: true).ThrowIfError();
        PhysRangeList list = rig.List(rig.Ram());

        queue!.TryTransfer(NvmeOpcode.Read, rig.Blocks, default, list).ThrowIfError();

        Assert.That(queue.IsSubmissionInController, Is.True);
        Assert.That(rig.Read(list), Is.EqualTo(rig.Content.AsSpan(0, 0x1_0000).ToArray()));
        Assert.That(rig.Drive.Buffer!.Available, Is.EqualTo(ByteCount.FromMiB(512).SubtractChecked(Bytes(4096))));
        LedgerEntry pages = rig.Ledger().Single(entry => entry.Kind == HoldingKind.Page);
        Assert.That((pages.Count, pages.Owner), Is.EqualTo((1UL, rig.Drive.Id)));
    }

    [Test]
    public void Reset_WithCommandsUnderWay_EndsThemAndTheQueueGoesOn()
    {
        using var rig = new NvmeRig(new NvmeOptions { IsStepped = true });
        PhysRangeList list = rig.List(rig.Ram());
        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, list, out NvmeRequest? done).ThrowIfError();
        rig.Drive.Process();
        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, list, out NvmeRequest? waiting).ThrowIfError();

        rig.Drive.Reset();

        Assert.That((done!.Status, waiting!.Status), Is.EqualTo((NvmeStatus.HostAborted, NvmeStatus.HostAborted)), "what was not reaped is lost, too");
        Assert.That((rig.Queue.InFlight, rig.Queue.Reap(), rig.Drive.Process()), Is.EqualTo((0, 0, 0)));
        Assert.That(rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, default, list), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Drive.State, Is.EqualTo(DeviceState.Working));
    }

    [Test]
    public void Remove_WithCommandsUnderWay_EndsThemAndUnmaps()
    {
        using var rig = new NvmeRig(new NvmeOptions { IsStepped = true });
        rig.Drive.Buffer!.TryAllocate(Bytes(4096), out P2pMemory? taken).ThrowIfError();
        rig.Queue.TrySubmit(NvmeOpcode.Write, rig.Blocks, default, rig.List(rig.Ram()), out NvmeRequest? request).ThrowIfError();
        Assert.That(rig.Ledger().Select(static entry => entry.Kind), Is.EquivalentTo(
            new[] { HoldingKind.Handle, HoldingKind.Mapping, HoldingKind.Page }));

        rig.Drive.Remove();
        rig.Drive.Remove();

        Assert.That((request!.Errno, rig.Drive.State), Is.EqualTo((Errno.EIO, DeviceState.Removed)));
        Assert.That(rig.Drive.View.LiveMappings, Is.Zero);
        Assert.That(rig.Queue.TryFlush(rig.Blocks, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Drive.TryCreateQueuePair(2, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Drive.TryAddNamespace(rig.DiskPath, Bytes(512), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Drive.Buffer.TryAllocate(Bytes(4096), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(File.ReadAllBytes(rig.DiskPath), Is.EqualTo(rig.Content), "a command that was given up wrote nothing");
        rig.Drive.Reset();
        taken!.Dispose(); // a late return is taken
    }

    [Test]
    public void Create_WhereADriverIs_IsEbusyAndElsewhereEnodev()
    {
        using var rig = new NvmeRig();

        Assert.That(NvmeController.TryCreate(rig.Pci, DrivePlace, new NvmeOptions(), out _), Is.EqualTo(Errno.EBUSY));
        Assert.That(
            NvmeController.TryCreate(rig.Pci, PciAddress.Parse("0000:55:00.0"), new NvmeOptions(), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(
            NvmeController.TryCreate(rig.Pci, PciAddress.Parse("0000:1c:00.0"), new NvmeOptions { BufferBar = 4 }, out _),
            Is.EqualTo(Errno.EINVAL), "it has no such BAR");
        NvmeController.TryCreate(rig.Pci, PciAddress.Parse("0000:1c:00.0"), new NvmeOptions(), out NvmeController? plain).ThrowIfError();
        Assert.That(plain!.TryCreateQueuePair(2, out _, isInBuffer: true), Is.EqualTo(Errno.EOPNOTSUPP));
        plain.Dispose();
    }

    [Test]
    public void Create_IllegalNumbers_Throw()
    {
        using var rig = new NvmeRig();

        Assert.That(
            () => NvmeController.TryCreate(rig.Pci, FirstPeer, new NvmeOptions { MaxTransfer = Bytes(100) }, out _),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => rig.Drive.TryCreateQueuePair(1, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => rig.Drive.TryAddNamespace(rig.DiskPath, Bytes(513), out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => rig.Drive.TryAddNamespace(rig.DiskPath + "-not", Bytes(512), out _), Throws.InstanceOf<IOException>());
    }

    [Test]
    public void CreateQueuePair_EachAllocationFailing_LeavesNothing([Values] bool isInBuffer)
    {
        using var rig = new NvmeRig();
        foreach (FaultPoint point in (FaultPoint[])[FaultPoint.PageAlloc, FaultPoint.Slab, P2pMemPool.AllocateFault])
        {
            Errno errno = Errno.ENOMEM;
            for (ulong nth = 1; !errno.IsOk; nth++)
            {
                rig.Machine.Faults.FailNth(point, nth);
                errno = rig.Drive.TryCreateQueuePair(64, out NvmeQueuePair? queue, isInBuffer);
                rig.Machine.Faults.Clear();
                queue?.Dispose();
                Assert.That(rig.Drive.View.LiveMappings, Is.EqualTo(2), $"{point} {nth}");
                Assert.That(rig.Drive.Buffer!.Available, Is.EqualTo(rig.Drive.Buffer.Size));
            }
        }
    }
}
