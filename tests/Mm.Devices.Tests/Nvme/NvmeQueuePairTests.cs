using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Nvme;
using Mm.P2pDma.Pools;
using static Mm.Devices.Tests.Nvme.NvmeRig;

namespace Mm.Devices.Tests.Nvme;

internal sealed class NvmeQueuePairTests
{
    [Test]
    public void Read_IntoRamOwnBufferAndPeer_BringsTheFilesBytes(
        [Values] bool isTranslated, [Values(DataPointerKind.Prp, DataPointerKind.Sgl)] DataPointerKind kind)
    {
        using var rig = new NvmeRig(new NvmeOptions { Pointers = kind }, isTranslated);
        rig.Drive.Buffer!.TryAllocate(ByteCount.FromKiB(64), out P2pMemory? own).ThrowIfError();
        using (own)
        {
            PhysRange[] places = [rig.Ram(), own!.Range, Bar(rig.A, 0x20_0000, 0x1_0000)];
            for (int index = 0; index < places.Length; index++)
            {
                PhysRangeList list = rig.List(places[index]);
                rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, Bytes((ulong)index * 0x1_0000), list).ThrowIfError();

                Assert.That(rig.Read(list), Is.EqualTo(rig.Content.AsSpan(index * 0x1_0000, 0x1_0000).ToArray()), places[index].ToString());
            }
        }

        ByteCount moved = rig.Blocks.File.DirectBytes.AddChecked(rig.Blocks.File.BufferedBytes);
        Assert.That(moved, Is.EqualTo(Bytes(3 * 0x1_0000)));
        Assert.That(rig.Blocks.File.BufferedBytes.IsZero, Is.EqualTo(rig.Blocks.File.IsDirect), "whole pages go past the page cache");
    }

    [Test]
    public void Write_FromPeerMemory_ReachesTheFile([Values] bool isTranslated)
    {
        using var rig = new NvmeRig(isTranslated: isTranslated);
        PhysRangeList list = rig.List(Bar(rig.A, 0x4000, 0x3000), Bar(rig.A, 0x9000, 0x1000));
        byte[] bytes = new byte[0x4000];
        rig.Machine.CreateRandom("payload").Fill(bytes);
        rig.Fill(list, bytes);

        rig.Queue.TryTransfer(NvmeOpcode.Write, rig.Blocks, Bytes(0x800), list).ThrowIfError();
        rig.Queue.TryFlush(rig.Blocks, out NvmeRequest? flush).ThrowIfError();
        rig.Queue.Reap();

        Assert.That((flush!.Errno, flush.Status), Is.EqualTo((Errno.Ok, NvmeStatus.Success)));
        byte[] expected = [.. rig.Content];
        bytes.CopyTo(expected, 0x800);
        Assert.That(File.ReadAllBytes(rig.DiskPath), Is.EqualTo(expected));
    }

    [Test]
    public void Read_UnalignedPieces_GoesByDescriptorsToTheByte()
    {
        using var rig = new NvmeRig();
        PhysRange ram = rig.Ram();
        PhysRangeList list = rig.List(ram.Slice(Bytes(17), Bytes(100)), ram.Slice(Bytes(5000), Bytes(412)));

        rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, Bytes(0x600), list).ThrowIfError();

        Assert.That(rig.Read(list), Is.EqualTo(rig.Content.AsSpan(0x600, 512).ToArray()));
        Assert.That(rig.Blocks.File.BufferedBytes, Is.EqualTo(Bytes(512)), "no direct I/O to odd places: said so");
    }

    [Test]
    public void Read_UnalignedPiecesWithoutDescriptors_IsRefused()
    {
        using var rig = new NvmeRig(new NvmeOptions { HasSgl = false });
        PhysRange ram = rig.Ram();
        PhysRangeList list = rig.List(ram.Slice(Bytes(17), Bytes(100)), ram.Slice(Bytes(5000), Bytes(412)));

        Assert.That(rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, list, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Read_LongerThanACommand_BecomesSeveral()
    {
        using var rig = new NvmeRig(new NvmeOptions { MaxTransfer = ByteCount.FromKiB(16) });
        PhysRangeList list = rig.List(rig.Ram());

        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, list, out NvmeRequest? request).ThrowIfError();
        rig.Queue.Reap();

        Assert.That((request!.CommandCount, request.Errno), Is.EqualTo((4, Errno.Ok)));
        Assert.That(rig.Read(list), Is.EqualTo(rig.Content.AsSpan(0, 0x1_0000).ToArray()));
    }

    private static IEnumerable<int[]> Orders => [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    [TestCaseSource(nameof(Orders))]
    public void Read_RamAndTwoPeersInEveryOrder_IsSplitByOwnerAndByteExact(int[] order)
    {
        foreach (bool isTranslated in (bool[])[false, true])
        {
            using var rig = new NvmeRig(isTranslated: isTranslated);
            PhysRangeList list = Mixed(rig, order);

            rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, Bytes(0x200), list, out NvmeRequest? request).ThrowIfError();
            rig.Queue.Reap();

            Assert.That((request!.CommandCount, request.Errno), Is.EqualTo((3, Errno.Ok)));
            Assert.That(rig.Read(list), Is.EqualTo(rig.Content.AsSpan(0x200, 0x6000).ToArray()));
        }
    }

    [Test]
    public void Read_SeveralOwnersWhereTheDriverDoesNotSplit_IsRefused()
    {
        using var rig = new NvmeRig(new NvmeOptions { SplitsOwners = false });

        Assert.That(rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, Mixed(rig, [0, 1, 2]), out _), Is.EqualTo(Errno.EINVAL));
        Assert.That((rig.Queue.InFlight, rig.Drive.View.LiveMappings), Is.EqualTo((0, 2)), "only the queues are mapped");
    }

    // Museum 30: one decision for all. With an IOMMU the first part has an I/O address, and the others' made as it was lead nowhere.
    [TestCaseSource(nameof(Orders))]
    public void Read_SeveralOwnersDecidedByTheFirst_IsCaughtInEveryOrder(int[] order)
    {
        using var rig = new NvmeRig(isTranslated: true);
        rig.Queue.DecidesByFirstOwner = true;
        PhysRangeList list = Mixed(rig, order);

        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, Bytes(0x200), list, out NvmeRequest? request).ThrowIfError();
        rig.Queue.Reap();

        bool isRight = request!.Errno.IsOk && rig.Read(list).AsSpan().SequenceEqual(rig.Content.AsSpan(0x200, 0x6000));
        Assert.That(isRight, Is.False, "the fault of the past shows");
    }

    [Test]
    public void Submit_WhatIsNotWholeBlocks_IsRefused()
    {
        using var rig = new NvmeRig();
        PhysRange ram = rig.Ram();

        Assert.That(Submit(rig, 256, ram), Is.EqualTo(Errno.EINVAL), "offset");
        Assert.That(Submit(rig, 0, ram.Slice(default, Bytes(700))), Is.EqualTo(Errno.EINVAL), "length");
        Assert.That(
            Submit(rig, 0, ram.Slice(default, Bytes(300)), Bar(rig.A, 0, 212)), Is.EqualTo(Errno.EINVAL), "an owner's part");
    }

    [Test]
    public void Submit_PeerOutOfReach_IsEremoteioAndLeavesNothing()
    {
        using var rig = new NvmeRig();
        PhysRangeList list = rig.List(rig.Ram().Slice(default, Bytes(4096)), Bar(rig.A, 0, 4096));
        rig.Pci.TryUnbind(FirstPeer).ThrowIfError();

        Assert.That(rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, list, out _), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That((rig.Queue.InFlight, rig.Drive.View.LiveMappings), Is.EqualTo((0, 2)));
    }

    [Test]
    public void Submit_MoreThanTheQueueHolds_IsEagainUntilReaped()
    {
        using var rig = new NvmeRig(new NvmeOptions { IsStepped = true });
        PhysRange ram = rig.Ram();
        for (int index = 0; index < 15; index++)
        {
            Assert.That(Submit(rig, 0, ram.Slice(default, Bytes(4096))), Is.EqualTo(Errno.Ok));
        }

        Assert.That(Submit(rig, 0, ram.Slice(default, Bytes(4096))), Is.EqualTo(Errno.EAGAIN));
        Assert.That((rig.Drive.Process(), rig.Queue.Reap(), rig.Queue.InFlight), Is.EqualTo((15, 15, 0)));
        for (int round = 0; round < 40; round++)
        {
            rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, default, rig.List(ram)).ThrowIfError(); // the rings turn over, phases with them
        }

        Assert.That(rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, default, rig.List(ram)), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Transfer_PastTheEnd_IsEremoteioAsTheBlockLayerSays()
    {
        using var rig = new NvmeRig();

        Assert.That(
            rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, ByteCount.FromMiB(1).SubtractChecked(Bytes(512)), rig.List(rig.Ram())),
            Is.EqualTo(Errno.EREMOTEIO));
    }

    [Test]
    public void Transfer_MemoryThatDiesUnderWay_EndsInDataTransferError()
    {
        using var rig = new NvmeRig(new NvmeOptions { IsStepped = true });
        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, rig.List(Bar(rig.A, 0, 4096)), out NvmeRequest? request).ThrowIfError();
        rig.Pci.TryUnbind(FirstPeer).ThrowIfError();
        rig.Drive.Process();
        rig.Queue.Reap();

        Assert.That((request!.Status, request.Errno), Is.EqualTo((NvmeStatus.DataTransferError, Errno.EIO)));
    }

    [Test]
    public void Submit_EachAllocationFailing_LeavesNothingBehind([Values] bool isTranslated)
    {
        using var rig = new NvmeRig(new NvmeOptions { Pointers = DataPointerKind.Prp }, isTranslated);
        PhysRangeList list = rig.List(Bar(rig.A, 0, 0x1000), Bar(rig.A, 0x2000, 0x4000), rig.Ram());
        FaultPoint[] points = [FaultPoint.Slab, FaultPoint.PageAlloc];
        int refusals = 0;
        foreach (FaultPoint point in points)
        {
            Errno errno = Errno.ENOMEM;
            for (ulong nth = 1; !errno.IsOk; nth++)
            {
                rig.Machine.Faults.FailNth(point, nth);
                errno = rig.Queue.TryTransfer(NvmeOpcode.Read, rig.Blocks, default, list);
                rig.Machine.Faults.Clear();
                refusals += errno.IsOk ? 0 : 1;
                Assert.That(errno, Is.EqualTo(Errno.Ok).Or.EqualTo(Errno.ENOMEM), $"{point} {nth}");
                Assert.That((rig.Queue.InFlight, rig.Drive.View.LiveMappings), Is.EqualTo((0, 2)), $"{point} {nth}");
                rig.Pci.Validate();
            }
        }

        Assert.That(refusals, Is.GreaterThan(3));
        Assert.That(rig.Read(list), Is.EqualTo(rig.Content.AsSpan(0, 0x1_5000).ToArray()));
    }

    [Test]
    public void Dispose_WithCommandsUnderWay_EndsThemAndGivesThePagesBack()
    {
        using var rig = new NvmeRig(new NvmeOptions { IsStepped = true });
        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, default, rig.List(rig.Ram()), out NvmeRequest? request).ThrowIfError();
        rig.Queue.Dispose();
        rig.Queue.Dispose();

        Assert.That((request!.Status, request.Errno), Is.EqualTo((NvmeStatus.HostAborted, Errno.EIO)));
        Assert.That(Submit(rig, 0, rig.Ram()), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Drive.View.LiveMappings, Is.Zero);
    }

    private static PhysRangeList Mixed(NvmeRig rig, int[] order)
    {
        PhysRange[] parts = [rig.Ram().Slice(default, Bytes(0x2000)), Bar(rig.A, 0x1000, 0x2000), Bar(rig.B, 0x7000, 0x2000)];
        return rig.List(parts[order[0]], parts[order[1]], parts[order[2]]);
    }

    private static Errno Submit(NvmeRig rig, ulong offset, params PhysRange[] ranges) =>
        rig.Queue.TrySubmit(NvmeOpcode.Read, rig.Blocks, Bytes(offset), rig.List(ranges), out _);
}
