using Mm.Core;
using Mm.Devices.Rdma;
using Mm.Devices.Tests.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S2, revocable MR: "if they do, the MR gets destroyed immediately".</summary>
[Category("Seeds")]
internal sealed class RevocableMrTests
{
    [Test]
    public void MigrationOfVramUnderARegion_RevokesItAndNobodyElse()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        RdmaEnd other = rig.Open(RdmaRig.FarPlace);
        using BufferHandle handle = rig.Revocable(out BarBuffer vram, pages: 8);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Across, handle, RegionContract.BufferRevocable);
        VirtRange others = rig.Across.Map(2, 3);
        MemoryRegion untouched = rig.Across.Register(others);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(8, 7));
        rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.Write, RdmaEnd.Piece(local))
        {
            RemoteAddress = region.Range.Start,
            RemoteKey = region.Key,
        }).ThrowIfError();
        Assert.That(rig.Near.Nic.Process(3), Is.EqualTo(3), "three packets of eight are there");

        // The GPU's driver wants the place: it is told yes only when nobody reaches it any more.
        vram.TryRevoke(timeoutNs: 0).ThrowIfError();
        byte[] atRevoke = rig.ReadVram(0, 8);

        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.RemoteAccessError), "work under way ends in an error");
        Assert.That(rig.ReadVram(0, 8), Is.EqualTo(atRevoke), "and not one byte came after");
        Assert.That(atRevoke.Count(static value => value == 7), Is.EqualTo(3 * 4096));
        Assert.That((region.State, untouched.State), Is.EqualTo((RegionState.Revoked, RegionState.Valid)));
        Assert.That((vram.PinCount, handle.Buffer.AttachmentCount), Is.EqualTo((0, 1)), "the memory is the driver's again");

        // No other region gets the key, however many come and go, until the owner lets it go.
        for (int round = 0; round < 600; round++)
        {
            MemoryRegion made = rig.Across.Register(others);
            Assert.That(made.Key.Value >> 8, Is.Not.EqualTo(region.Key.Value >> 8));
            made.Dispose();
        }

        rig.Across.Domain.TryCreateQueuePair(rig.Across.Sends, rig.Across.Receives, 4, out RdmaQueuePair? end).ThrowIfError();
        other.Pair.TryConnect(end!).ThrowIfError();
        MemoryRegion theirs = other.Register(other.Map(1, 9));
        Assert.That(other.Do(WorkOpcode.Write, RdmaEnd.Piece(theirs), untouched), Is.EqualTo(WorkStatus.Success), "others go on");
        Assert.That(rig.Across.Read(others)[0], Is.EqualTo(9));
        region.Dispose();
        Assert.That((region.State, handle.Buffer.AttachmentCount), Is.EqualTo((RegionState.Deregistered, 0)));
    }
}
