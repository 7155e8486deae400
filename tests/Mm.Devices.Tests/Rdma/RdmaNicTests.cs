using Mm.Core;
using Mm.Devices.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Rdma;

internal sealed class RdmaNicTests
{
    [Test]
    public void Reset_UnderWork_FlushesAndRevokesAndUsersStartAgain()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        MemoryRegion buffer = RdmaRig.RegisterBuffer(rig.Near, handle, RegionContract.BufferPinned);
        VirtRange range = rig.Near.Map(4, 1);
        MemoryRegion local = rig.Near.Register(range);
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(4));
        rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.Write, RdmaEnd.Piece(local)) { RemoteAddress = remote.Range.Start, RemoteKey = remote.Key }).ThrowIfError();
        rig.Near.Nic.Process(1);

        rig.Near.Nic.Reset();

        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.Flushed));
        Assert.That((local.State, buffer.State, exporter.PinCount), Is.EqualTo((RegionState.Revoked, RegionState.Revoked, 0)));
        Assert.That(rig.Near.Nic.State, Is.EqualTo(DeviceState.Working));
        local.Dispose();
        buffer.Dispose();
        rig.Near.Domain.TryCreateQueuePair(rig.Near.Sends, rig.Near.Receives, 4, out RdmaQueuePair? again).ThrowIfError();
        again!.TryConnect(again).ThrowIfError();
        MemoryRegion fresh = rig.Near.Register(range);
        again.TryPost(new WorkRequest(2, WorkOpcode.Read, RdmaEnd.Piece(fresh)) { RemoteAddress = range.Start, RemoteKey = fresh.Key }).ThrowIfError();
        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.Success));
    }

    [Test]
    public void Remove_WithEveryContractInUse_LeavesNothing()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        using BufferHandle moving = rig.Moving(out _);
        using BufferHandle bar = rig.Revocable(out BarBuffer exporter, at: 32);
        MemoryRegion pinned = rig.Near.Register(rig.Near.Map(4, 1));
        MemoryRegion onDemand = rig.Near.Register(rig.Near.Map(4, 1), RdmaEnd.All | RegionAccess.OnDemand);
        rig.Near.Domain.TryRegisterAll(RdmaEnd.All, out MemoryRegion? all).ThrowIfError();
        MemoryRegion dynamic = RdmaRig.RegisterBuffer(rig.Near, moving, RegionContract.Buffer);
        MemoryRegion revocable = RdmaRig.RegisterBuffer(rig.Near, bar, RegionContract.BufferRevocable);
        byte[] bytes = new byte[4096];
        foreach (MemoryRegion region in (MemoryRegion[])[pinned, onDemand, dynamic, revocable])
        {
            region.Backing.TryAccess(default, bytes, isWrite: true).ThrowIfError();
        }

        all!.Backing.TryAccess(new ByteCount(pinned.Range.Start.Value), bytes, isWrite: false).ThrowIfError();
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1, 1));
        rig.Across.Pair.TryPost(new WorkRequest(8, WorkOpcode.Write, RdmaEnd.Piece(remote)) { RemoteAddress = pinned.Range.Start, RemoteKey = pinned.Key }).ThrowIfError();
        LedgerEntry[] before = [.. rig.Near.Ledger()];
        Assert.That(before.Count(static entry => entry.Kind == HoldingKind.Region), Is.EqualTo(5));
        Assert.That(before.Where(static entry => entry.Kind == HoldingKind.Attachment).Select(static entry => entry.Owner),
            Is.All.EqualTo(rig.Vram.Owner), "who holds the GPU");

        rig.Near.Nic.Remove();
        rig.Near.Nic.Remove();

        Assert.That(rig.Near.Ledger(), Is.Empty);
        Assert.That((rig.Near.Nic.View.LiveMappings, rig.Near.Context.PinnedPages, exporter.PinCount), Is.EqualTo((0, PageCount.Zero, 0)));
        Assert.That((moving.Buffer.AttachmentCount, bar.Buffer.AttachmentCount), Is.EqualTo((0, 0)));
        Assert.That(rig.Across.Completed().Status, Is.EqualTo(WorkStatus.RetryExceeded));
        Assert.That(rig.Near.Nic.TryOpen(rig.Near.Space, new PageCount(1), out _), Is.EqualTo(Errno.ENODEV));
        pinned.Dispose(); // a late return is taken
        rig.Near.Nic.Reset();
        rig.Machine.Validate();
    }

    [Test]
    public void Create_WhereADriverIsOrNothing_IsRefused()
    {
        using var rig = new RdmaRig();

        Assert.That(RdmaNic.TryCreate(rig.Wire, rig.Pci, PciAddress.Parse(RdmaRig.NearPlace), null, out _), Is.EqualTo(Errno.EBUSY));
        Assert.That(RdmaNic.TryCreate(rig.Wire, rig.Pci, PciAddress.Parse("0000:55:00.0"), null, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(
            () => RdmaNic.TryCreate(rig.Wire, rig.Pci, RdmaRig.Gpu, new RdmaOptions { PacketBytes = default }, out _),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
