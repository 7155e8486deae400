using Mm.Core;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Rdma;
using Mm.Devices.Tests.Gpus;
using Mm.Devices.Tests.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.P2pDma.Pools;

namespace Mm.Devices.Tests.Soak;

/// <content>Two RDMA NICs on one wire, and regions under every contract.</content>
internal sealed partial class SoakMachine
{
    private readonly List<SoakRegion> regions = []; // of the far end
    private RdmaEnd near = null!;
    private RdmaEnd across = null!;
    private RdmaQueuePair nearPair = null!;
    private RdmaQueuePair acrossPair = null!;
    private MemoryRegion local = null!;
    private SoakPeer peer = null!;
    private int gpuResets;
    private byte[] peerModel = [];

    private void StartWire()
    {
        var wire = new RdmaWire();
        near = new RdmaEnd(wire, Pci, "0000:04:00.1", processes[0].Space, null, 4096);
        across = new RdmaEnd(wire, Pci, "0000:08:00.1", processes[1].Space, null, 4096);
        Connect();
        local = near.Register(processes[0].Array);
    }

    private void Connect()
    {
        nearPair?.Dispose();
        acrossPair?.Dispose();
        near.Domain.TryCreateQueuePair(near.Sends, near.Receives, 16, out RdmaQueuePair? one).ThrowIfError();
        across.Domain.TryCreateQueuePair(across.Sends, across.Receives, 16, out RdmaQueuePair? other).ThrowIfError();
        one!.TryConnect(other!).ThrowIfError();
        (nearPair, acrossPair) = (one, other!);
    }

    private void StopWire()
    {
        near.Nic.Remove();
        across.Nic.Remove();
        Assert.That(local.State, Is.EqualTo(RegionState.Deregistered), "a region of a NIC that is gone");
        Assert.That(near.Domain.TryRegister(processes[0].Array.Start, new ByteCount(Page), RdmaEnd.All, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((near.Nic.View.LiveMappings, across.Nic.View.LiveMappings), Is.EqualTo((0, 0)), "a mapping of a NIC is left");
        Assert.That((near.Context.PinnedPages, across.Context.PinnedPages), Is.EqualTo((PageCount.Zero, PageCount.Zero)));
        regions.Clear();
    }

    private void Register()
    {
        if (regions.Count > 8)
        {
            return;
        }

        SoakProcess process = processes[1];
        int page = Below(ArrayPages - 4);
        VirtAddr at = process.At(page * Page);
        var length = new ByteCount(4 * Page);
        MemoryRegion? region;
        switch (Below(7))
        {
            case 0:
                across.Domain.TryRegister(at, length, RdmaEnd.All, out region).ThrowIfError();
                Add(new SoakRegion(region!, process.Model, page * Page, at, 4));
                break;
            case 1:
                across.Domain.TryRegister(at, length, RdmaEnd.All | RegionAccess.OnDemand, out region).ThrowIfError();
                Add(new SoakRegion(region!, process.Model, page * Page, at, 4));
                break;
            case 2:
                across.Domain.TryRegisterAll(RdmaEnd.All, out region).ThrowIfError();
                Add(new SoakRegion(region!, process.Model, 0, process.Array.Start, ArrayPages));
                break;
            case 3:
                across.Domain.TryRegisterPeer(peer, SoakPeer.Start, new ByteCount(Page), RdmaEnd.All, out region).ThrowIfError();
                Add(new SoakRegion(region!, peerModel, 0, SoakPeer.Start, 1));
                break;
            default:
                RegisterObject();
                break;
        }
    }

    private void RegisterObject()
    {
        if (objects.Count > 0)
        {
            (GpuObject target, byte[] model) = objects[Below(objects.Count)];
            using BufferHandle handle = GpuRig.Export(target);
            var at = new VirtAddr(0x7000_0000);
            Errno errno = across.Domain.TryRegisterBuffer(
                handle, default, target.Size, at, RdmaEnd.All, RegionContract.Buffer + Below(3), out MemoryRegion? region);
            Note($"registered: {errno}");
            Assert.That(errno, Is.EqualTo(Errno.Ok).Or.EqualTo(Errno.ENOMEM).Or.EqualTo(Errno.EBUSY));
            if (errno.IsOk)
            {
                Add(new SoakRegion(region!, model, 0, at, model.Length / Page));
            }
        }
    }

    private void Add(SoakRegion region)
    {
        regions.Add(region with { GpuResets = gpuResets });
        Note($"{region.Region.Contract}");
    }

    private void TakePeerAway()
    {
        Note("peer taken away");
        peer.TakeAway?.Invoke();
        Assert.That(peer.Out, Is.Zero, "pages of a peer that was taken away");
        peer.Memory.Dispose();
        StartPeer();
    }

    private void StartPeer()
    {
        drive.Buffer!.TryAllocate(new ByteCount(Page), out P2pMemory? memory).ThrowIfError();
        peer = new SoakPeer(Pci, memory!);
        peerModel = Read(memory!.Range);
    }

    private void Deregister()
    {
        if (regions.Count > 0)
        {
            int index = Below(regions.Count);
            SoakRegion region = regions[index];
            region.Region.Dispose();
            regions.RemoveAt(index);
            RunWork(region, WorkOpcode.Write, 8, 1); // by a key that is nobody's any more
        }
    }

    private void DeregisterAll()
    {
        regions.ForEach(static each => each.Region.Dispose());
        regions.Clear();
    }

    private SoakRegion AnyRegion() => regions[Below(regions.Count)];

    private void MoveByRdma()
    {
        if (regions.Count > 0)
        {
            int length = 1 + Below(512);
            RunWork(AnyRegion(), random.OneIn(2) ? WorkOpcode.Write : WorkOpcode.Read, length, 1);
        }
    }

    private void AddByRdma()
    {
        if (regions.Count > 0)
        {
            RunWork(AnyRegion(), WorkOpcode.FetchAdd, sizeof(ulong), sizeof(ulong));
        }
    }

    // Work between a place of the near process and one of a region of the far one; neither passes the end of a page.
    private void RunWork(SoakRegion target, WorkOpcode opcode, int length, int alignment, bool isGone = false)
    {
        if (local.State != RegionState.Valid)
        {
            local.Dispose(); // the NIC was reset
            local = near.Register(processes[0].Array);
        }

        if (nearPair.State != QueuePairState.Ready || acrossPair.State != QueuePairState.Ready)
        {
            Connect();
        }

        MemoryRegion region = target.Region;
        int from = (Below(ArrayPages) * Page) + Below(Page - length);
        int to = (Below(target.Pages) * Page) + (Below((Page - length) / alignment) * alignment);
        ulong added = random.NextBits();
        bool isValid = region.State == RegionState.Valid && !isGone;
        var work = new WorkRequest(1, opcode, new LocalPiece(processes[0].At(from), new ByteCount((ulong)length), local.Key))
        {
            RemoteAddress = target.Address.AddChecked(new ByteCount((ulong)to)),
            RemoteKey = region.Key,
            CompareOrAdd = added,
        };
        nearPair.TryPost(work).ThrowIfError();
        WorkCompletion done = near.Completed();
        while (done.QueuePair != nearPair.Number)
        {
            done = near.Completed(); // flushed work of a queue pair that was
        }

        Note($"{opcode} {region.Contract}: {done.Status}");
        WorkStatus expected = isValid ? WorkStatus.Success : WorkStatus.RemoteAccessError;
        // What is pinned without a way to take it away is not told of a reset: its addresses may be dead.
        bool mayBeStale = region.Contract == RegionContract.BufferPinned && target.GpuResets != gpuResets;
        Assert.That(done.Status, mayBeStale ? Is.EqualTo(expected).Or.EqualTo(WorkStatus.RemoteAccessError) : Is.EqualTo(expected), $"{region}");
        if (done.Status == WorkStatus.Success)
        {
            Span<byte> here = processes[0].Model.AsSpan(from, length);
            Span<byte> there = target.Model.AsSpan(target.Start + to, length);
            if (opcode == WorkOpcode.Write)
            {
                here.CopyTo(there);
                return;
            }

            there.CopyTo(here);
            if (opcode == WorkOpcode.FetchAdd)
            {
                BitConverter.TryWriteBytes(there, unchecked(BitConverter.ToUInt64(there) + added)); // wraps, as the device's adder does
            }
        }
    }
}
