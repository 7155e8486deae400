using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Attachments;
using Mm.P2pDma.Topologies;

namespace Mm.DmaBuf.Tests.Exporters;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BarBufferTests : IDisposable
{
    private readonly PeerRig rig = new();

    public void Dispose() => rig.Dispose();

    [TestCase(true, "near", 0, PeerReason.Agreed)]
    [TestCase(true, "across", 0, PeerReason.Agreed)]
    [TestCase(true, "far", 95, PeerReason.NoWay)]
    [TestCase(false, "near", 95, PeerReason.ImporterDeclines)]
    public void Attach_TakesWhoTakesAndReachesAPeersMemory(bool allows, string who, int expected, PeerReason reason)
    {
        using BufferHandle handle = rig.Bar(out _, PeerRig.Piece(0, 4096));
        DmaDevice device = who switch { "near" => rig.Near, "across" => rig.Across, _ => rig.Far };
        Errno errno = BufferAttachment.TryAttach(handle, device, new FakeImporter(allows), out BufferAttachment? attachment, out PeerTerms terms);
        Assert.That((errno.Number, terms.Reason), Is.EqualTo((expected, reason)));
        attachment?.Dispose();
        Assert.That(BufferAttachment.TryAttach(handle, device, importer: null, out _), Is.EqualTo(Errno.EOPNOTSUPP), "a static one declines");
    }

    [Test]
    public void Map_OfTightlyPackedPieces_IsOneListOfOneProvider()
    {
        BarRange[] pieces = [.. Enumerable.Range(0, 64).Select(index => PeerRig.Piece((ulong)index * 4096, index % 2 == 0 ? 4096UL : 512UL))];
        using BufferHandle handle = rig.Bar(out BarBuffer exporter, pieces);
        BufferAttachment attachment = Attach(handle, rig.Near, out _);
        using (attachment)
        {
            using BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
            Assert.That(mapping.List.Count, Is.EqualTo(32), "a page, the short piece right behind it, and a hole");
            Assert.That((mapping.List.SingleOwner?.Provider, mapping.List.SingleOwner?.HasPages), Is.EqualTo((rig.Provider, false)));
            Assert.That(mapping.List.Length, Is.EqualTo(exporter.Size));
            byte[] bytes = BufferRig.Bytes((int)exporter.Size.Value, seed: 9);
            PeerRig.Write(rig.Near, mapping.Segments, bytes);
            Assert.That(PeerRig.Read(rig.Near, mapping.Segments), Is.EqualTo(bytes));
        }
    }

    [Test]
    public void Revoke_TellsOnceAndRefusesUntilRestored()
    {
        using BufferHandle handle = rig.Bar(out BarBuffer exporter, PeerRig.Piece(4096, 4096));
        using BufferAttachment attachment = Attach(handle, rig.Near, out FakeImporter importer);
        using BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
        DmaAddr address = mapping.Segments[0].Address;
        Assert.That((exporter.TryRevoke(), exporter.TryRevoke()), Is.EqualTo((Errno.Ok, Errno.Ok)));
        Assert.That(importer.Notices, Is.EqualTo(new[] { MoveNotice.Revoked }), "told of changes only");
        Assert.That((mapping.IsValid, rig.Near.Port.TryRead(address, new byte[1], out _)), Is.EqualTo((false, Errno.EFAULT)));
        Assert.That(attachment.TryMap(DmaDirection.Bidirectional, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(BufferAttachment.TryAttach(handle, rig.Across, new FakeImporter(), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((exporter.TryRestore(), exporter.TryRestore()), Is.EqualTo((Errno.Ok, Errno.Ok)));
        Assert.That(importer.Notices, Is.EqualTo(new[] { MoveNotice.Revoked, MoveNotice.Restored }));
        BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional).Dispose();
        Assert.That(attachment.Rebuilds, Is.EqualTo(2));
    }

    [Test]
    public void Revoke_ForGood_IsNeverRestored()
    {
        using BufferHandle handle = rig.Bar(out BarBuffer exporter, PeerRig.Piece(0, 4096));
        Assert.That((exporter.TryRevoke(isForGood: true), exporter.TryRestore(), exporter.IsRevoked), Is.EqualTo((Errno.Ok, Errno.ENODEV, true)));
    }

    [Test]
    public void Revoke_WaitsForTheImportersFences()
    {
        using BufferHandle handle = rig.Bar(out BarBuffer exporter, PeerRig.Piece(0, 4096));
        using BufferAttachment attachment = Attach(handle, rig.Near, out _);
        using BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
        DmaFence work = rig.Ram.Fence();
        BufferRig.Add(handle.Buffer, work, FenceUsage.Bookkeep);
        Assert.That(exporter.TryRevoke(timeoutNs: 0), Is.EqualTo(Errno.ETIME));
        Assert.That((exporter.IsRevoked, mapping.IsValid), Is.EqualTo((true, true)), "who works may end his work (museum 31)");
        Assert.That(attachment.TryMap(DmaDirection.Bidirectional, out _), Is.EqualTo(Errno.ENODEV));
        work.Signal().ThrowIfError();
        Assert.That((exporter.TryRevoke(timeoutNs: 0), mapping.IsValid), Is.EqualTo((Errno.Ok, false)));
    }

    [Test]
    public void Pin_OfWhatMayBeTakenAway_IsRefused()
    {
        using BufferHandle handle = rig.Bar(out _, PeerRig.Piece(0, 4096));
        using BufferAttachment attachment = Attach(handle, rig.Near, out _);
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        Assert.That(attachment.TryPin(held, out _), Is.EqualTo(Errno.EOPNOTSUPP));
    }

    [Test]
    public void Pin_WhereTheExporterPinsForRevocable_KeepsNobodyFromTakingTheMemoryAway()
    {
        new BarExporter(rig.System.Buffers, rig.Pci) { PinsForRevocable = true }.TryExport(
            PeerRig.Gpu, 1, [PeerRig.Piece(0, 4096)], out BarBuffer? exporter, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            using BufferAttachment attachment = Attach(handle!, rig.Near, out _);
            BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
            AttachmentPin? pin;
            using (ReservationLock held = handle!.Buffer.Reservation.Lock())
            {
                attachment.TryPin(held, out pin).ThrowIfError();
            }

            Assert.That((exporter!.PinCount, exporter.TryRevoke(), mapping.IsValid), Is.EqualTo((1, Errno.Ok, false)));
            using (ReservationLock held = handle.Buffer.Reservation.Lock())
            {
                Assert.That(attachment.TryPin(held, out _), Is.EqualTo(Errno.ENODEV), "taken away");
                attachment.DropMappings(held);
                Assert.That(rig.Near.LiveMappings, Is.Zero);
            }

            pin!.Dispose();
            pin.Dispose();
            Assert.That(exporter.PinCount, Is.Zero);
            mapping.Dispose();
        }
    }

    [Test]
    public void Release_Twice_IsABug()
    {
        BufferHandle handle = rig.Bar(out BarBuffer exporter, PeerRig.Piece(0, 4096));
        handle.Dispose();
        Assert.That(exporter.Release, Throws.InstanceOf<Core.Checks.MmBugException>(), "museum 1");
    }

    [Test]
    public void Unbind_OfTheDevice_EndsWhatIsMapped()
    {
        using BufferHandle handle = rig.Bar(out _, PeerRig.Piece(0, 4096));
        using BufferAttachment attachment = Attach(handle, rig.Near, out _);
        using BufferMapping mapping = BufferAttachmentTests.Map(attachment, DmaDirection.Bidirectional);
        rig.Pci.TryUnbind(PeerRig.Gpu).ThrowIfError();
        Assert.That((mapping.IsValid, attachment.TryMap(DmaDirection.Bidirectional, out _)), Is.EqualTo((false, Errno.ENODEV)));
    }

    [Test]
    public void EditOfTheTopology_MakesTheMappingAnewOnce()
    {
        using BufferHandle handle = rig.Bar(out _, PeerRig.Piece(0, 4096));
        using BufferAttachment attachment = Attach(handle, rig.Near, out _);
        BufferAttachmentTests.Map(attachment, DmaDirection.ToDevice).Dispose();
        rig.Pci.Topology.TrySetAcs(PciAddress.Parse("0000:06:00.0"), AcsControl.Of(AcsBits.SourceValidation), out _).ThrowIfError();
        BufferAttachmentTests.Map(attachment, DmaDirection.ToDevice).Dispose();
        BufferAttachmentTests.Map(attachment, DmaDirection.ToDevice).Dispose();
        Assert.That(attachment.Rebuilds, Is.EqualTo(2));
    }

    private static BufferAttachment Attach(BufferHandle handle, DmaDevice device, out FakeImporter importer)
    {
        importer = new FakeImporter();
        BufferAttachment.TryAttach(handle, device, importer, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }
}
