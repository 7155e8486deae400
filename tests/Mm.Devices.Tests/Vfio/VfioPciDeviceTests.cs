using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices.Iommufd;
using Mm.Devices.Rdma;
using Mm.Devices.Tests.Rdma;
using Mm.Devices.Vfio;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma.Topologies;
using static Mm.Devices.Tests.Vfio.VfioRig;

namespace Mm.Devices.Tests.Vfio;

internal sealed class VfioPciDeviceTests
{
    [Test]
    public void Export_EachRefusal_HasItsCause()
    {
        using var rig = new VfioRig();
        Assert.That(Export(rig, VfioRegion.Bar1), Is.EqualTo(Errno.EINVAL), "no slice");
        Assert.That(Export(rig, VfioRegion.Bar1, 1, Slice(0, 4096)), Is.EqualTo(Errno.EINVAL), "flags");
        Assert.That(Export(rig, VfioRegion.Rom, 0, Slice(0, 4096)), Is.EqualTo(Errno.ENODEV), "no BAR");
        Assert.That(Export(rig, VfioRegion.Config, 0, Slice(0, 4096)), Is.EqualTo(Errno.ENODEV), "no BAR");
        Assert.That(Export(rig, VfioRegion.Bar1, 0, Slice(0, 0)), Is.EqualTo(Errno.EINVAL), "empty");
        Assert.That(Export(rig, VfioRegion.Bar1, 0, Slice(512, 4096)), Is.EqualTo(Errno.EINVAL), "not on a page");
        Assert.That(Export(rig, VfioRegion.Bar3, 0, Slice(32 << 20, 4096)), Is.EqualTo(Errno.EINVAL), "past the region");
        Assert.That(
            Export(rig, VfioRegion.Bar1, 0, Slice(0, 0xffff_ffff_ffff_f000), Slice(0, 4096)), Is.EqualTo(Errno.EINVAL).Or.EqualTo(Errno.EOVERFLOW));
        Assert.That(Export(rig, VfioRegion.Bar1, 0, Slice(4096, 0xffff_ffff_ffff_f000)), Is.EqualTo(Errno.EOVERFLOW), "the sum wraps");
        Assert.That((rig.Files.Count, rig.System.Buffers.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Attach_WithoutPeerToPeer_IsEopnotsuppAndWhereRevokedEnodev()
    {
        using var rig = new VfioRig();
        using BufferHandle handle = rig.Export(Slice(0, 4096));
        Assert.That(BufferAttachment.TryAttach(handle, rig.Near, new Noting(allowsPeer: false), out _), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(BufferAttachment.TryAttach(handle, rig.Near, importer: null, out _), Is.EqualTo(Errno.EOPNOTSUPP), "static");
        Assert.That(BufferAttachment.TryAttach(handle, rig.Far, new Noting(), out _), Is.EqualTo(Errno.EOPNOTSUPP), "out of reach");
        rig.Device.TrySetDecoding(isOn: false).ThrowIfError();
        Assert.That(BufferAttachment.TryAttach(handle, rig.Near, new Noting(), out _), Is.EqualTo(Errno.ENODEV));
    }

    // V5.
    [Test]
    public void Decoding_OffAndOn_TellsImportersOnceEachAndMapsAgain()
    {
        using var rig = new VfioRig();
        using BufferHandle handle = rig.Export(Slice(0, 4096), Slice(0x10_0000, 8192));
        var importer = new Noting();
        using BufferAttachment attachment = Import(handle, rig.Near, importer);
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        DmaAddr address = mapping!.Segments[0].Address;

        rig.Device.TrySetDecoding(isOn: false).ThrowIfError();
        rig.Device.TrySetDecoding(isOn: false).ThrowIfError();
        Assert.That(importer.Told, Is.EqualTo(new[] { MoveNotice.Revoked }), "told of the change, once");
        Assert.That(attachment.TryMap(DmaDirection.Bidirectional, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Near.Port.TryRead(address, new byte[4], out _), Is.EqualTo(Errno.EFAULT));
        rig.Device.TrySetDecoding(isOn: true).ThrowIfError();
        rig.Device.TrySetDecoding(isOn: true).ThrowIfError();

        Assert.That(importer.Told, Is.EqualTo(new[] { MoveNotice.Revoked, MoveNotice.Restored }));
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? again).ThrowIfError();
        Assert.That((again!.IsValid, mapping.IsValid), Is.EqualTo((true, false)));
        again.Dispose();
        mapping.Dispose();
    }

    [Test]
    public void Export_WhileNotDecoding_StartsRevoked()
    {
        using var rig = new VfioRig();
        rig.Device.TrySetDecoding(isOn: false).ThrowIfError();
        using BufferHandle handle = rig.Export(Slice(0, 4096));
        Assert.That(BufferAttachment.TryAttach(handle, rig.Near, new Noting(), out _), Is.EqualTo(Errno.ENODEV));
        rig.Device.TrySetDecoding(isOn: true).ThrowIfError();
        using BufferAttachment attachment = Import(handle, rig.Near, new Noting());
    }

    // V4 and museum 1: every step of the export fails in turn.
    [Test]
    public void Export_EachStepFailing_FreesOnce([Values] bool freesAfterHandOver)
    {
        var rig = new VfioRig();
        rig.Device.FreesAfterHandOver = freesAfterHandOver;
        Exception? caught = null;
        Errno errno = Errno.ENOMEM;
        for (ulong nth = 1; !errno.IsOk && caught is null && nth < 20; nth++)
        {
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            try
            {
                errno = Export(rig, VfioRegion.Bar1, 0, Slice(0, 4096));
            }
            catch (MmBugException bug)
            {
                caught = bug;
            }

            rig.Machine.Faults.Clear();
            Assert.That(rig.System.Buffers.Count, Is.EqualTo(errno.IsOk ? 1 : 0), $"{nth}");
        }

        Assert.That(caught, freesAfterHandOver ? Is.InstanceOf<MmBugException>() : Is.Null);
        Assert.That(errno.IsOk, Is.Not.EqualTo(freesAfterHandOver));
        if (!freesAfterHandOver)
        {
            rig.Dispose();
        }
    }

    [Test]
    public void Export_FileTableFull_IsEmfileAndNothingIsLeft()
    {
        using var rig = new VfioRig();
        using var full = new FileTable(rig.Machine, limit: 1);
        Assert.That(rig.Device.TryExport(VfioRegion.Bar1, [Slice(0, 4096)], 0, full, out _), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Device.TryExport(VfioRegion.Bar1, [Slice(0, 4096)], 0, full, out _), Is.EqualTo(Errno.EMFILE));
        Assert.That((rig.Device.BufferCount, rig.System.Buffers.Count), Is.EqualTo((1, 1)));
    }

    // Museum 31: after a revoke has returned no importer reaches the memory, so it waits for the importers' fences.
    [Test]
    public void Revoke_ImporterAtWork_ReturnsOnlyWhenItIsDone([Values] bool waits)
    {
        using var rig = new VfioRig();
        rig.Device.RevokesWithoutWaiting = !waits;
        using BufferHandle handle = rig.Export(Slice(0, 4096));
        using BufferAttachment attachment = Import(handle, rig.Near, new Noting());
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        var work = new DmaFence(rig.System.Contexts, rig.System.Contexts.Next(), 1);
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(work, FenceUsage.Bookkeep);
        }

        DmaAddr address = mapping!.Segments[0].Address;
        Errno errno = rig.Device.TrySetDecoding(isOn: false, timeoutNs: 0);
        bool reaches = rig.Near.Port.TryWrite(address, [1], out _).IsOk;
        Assert.That(errno.IsOk && reaches, Is.EqualTo(!waits), "the fault of the past: it returned, and the importer still writes");
        Assert.That(errno, Is.EqualTo(waits ? Errno.ETIME : Errno.Ok));
        work.Signal().ThrowIfError();
        rig.Device.RevokesWithoutWaiting = false;
        rig.Device.TrySetDecoding(isOn: false, timeoutNs: 0).ThrowIfError();
        Assert.That(rig.Near.Port.TryWrite(address, [1], out _), Is.EqualTo(Errno.EFAULT));
        mapping.Dispose();
    }

    [Test]
    public void Reset_WhileShared_RevokesAndRestores()
    {
        using var rig = new VfioRig();
        using BufferHandle handle = rig.Export(Slice(0, 4096));
        var importer = new Noting();
        using BufferAttachment attachment = Import(handle, rig.Near, importer);
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();

        rig.Device.Reset();

        Assert.That(importer.Told, Is.EqualTo(new[] { MoveNotice.Revoked, MoveNotice.Restored }));
        Assert.That((mapping!.IsValid, rig.Device.IsDecoding), Is.EqualTo((false, true)));
        mapping.Dispose();
    }

    [Test]
    public void Reset_UnderAPinnedRegionOfANic_RevokesItAndTheSliceComesBack()
    {
        using var rig = new VfioRig();
        rig.Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        var end = new RdmaEnd(new RdmaWire(), rig.Pci, RdmaRig.AcrossPlace, space!, options: null, memlockPages: 16);
        using BufferHandle handle = rig.Export(Slice(0, 8192));
        MemoryRegion region = RdmaRig.RegisterBuffer(end, handle, RegionContract.BufferRevocable);
        region.Backing.TryAccess(default, (byte[])[7], isWrite: true).ThrowIfError();
        Assert.That(rig.Ledger().Single(static entry => entry.Kind == HoldingKind.Pin).Count, Is.EqualTo(1UL), "who holds the GPU");

        rig.Device.Reset();

        Assert.That((region.State, rig.Ledger().Exists(static entry => entry.Kind == HoldingKind.Pin)), Is.EqualTo((RegionState.Revoked, false)));
        Assert.That(region.Backing.TryAccess(default, new byte[1], isWrite: false), Is.EqualTo(Errno.EINVAL));
        MemoryRegion again = RdmaRig.RegisterBuffer(end, handle, RegionContract.BufferRevocable);
        Assert.That(again.Backing.TryAccess(default, new byte[1], isWrite: false), Is.EqualTo(Errno.Ok));
        end.Nic.Dispose();
        space!.Dispose();
    }

    [Test]
    public void Remove_WhileSharedAndMapped_RevokesForGoodAndUsersGetErrors()
    {
        using var rig = new VfioRig();
        using BufferHandle handle = rig.Export(Slice(0, 4096));
        using BufferAttachment attachment = Import(handle, rig.Near, new Noting());
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        rig.Device.TryMap(VfioRegion.Bar1, default, new ByteCount(4096), isShared: true, out VfioRegionMap? map).ThrowIfError();
        Assert.That(rig.Ledger().Select(static entry => entry.Kind), Is.EquivalentTo(
            new[] { HoldingKind.Handle, HoldingKind.Attachment, HoldingKind.Mapping }));

        rig.Device.Remove();

        Assert.That(rig.Near.Port.TryRead(mapping!.List.IsValid ? mapping.Segments[0].Address : default, new byte[1], out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(attachment.TryMap(DmaDirection.ToDevice, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(map!.Read(default, new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(Export(rig, VfioRegion.Bar1, 0, Slice(0, 4096)), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Device.TryMap(VfioRegion.Bar1, default, new ByteCount(4096), isShared: true, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Device.TrySetDecoding(isOn: true), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Device.TryAttach(null), Is.EqualTo(Errno.ENODEV));
        rig.Device.Reset();
        map.Dispose(); // a late return is taken
        mapping.Dispose();
    }

    [Test]
    public void Open_WhereADriverIsOrNothing_IsRefused()
    {
        using var rig = new VfioRig();

        Assert.That(VfioPciDevice.TryOpen(rig.Pci, PciAddress.Parse("0000:04:00.0"), rig.System.Buffers, out _), Is.EqualTo(Errno.EBUSY));
        Assert.That(VfioPciDevice.TryOpen(rig.Pci, PciAddress.Parse("0000:55:00.0"), rig.System.Buffers, out _), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Attach_ToAnIoAddressSpace_MakesItTheDmaDomain()
    {
        using var rig = new VfioRig();
        using var context = new IommufdContext(rig.Machine);
        using var user = new UserBuffer(rig.Machine, new VirtAddr(0x10_0000), new PageCount(4));
        context.TryCreateSpace(out IoAddressSpace? space).ThrowIfError();
        Assert.That(rig.Device.TryDmaWrite(new DmaAddr(0x100_0000), [1]), Is.EqualTo(Errno.EFAULT), "in no space");
        rig.Device.TryAttach(space).ThrowIfError();
        space!.TryMap(user, user.Range.Start, user.Range.Length, IoAccess.ReadWrite, out DmaAddr address).ThrowIfError();

        rig.Device.TryDmaWrite(address.AddChecked(new ByteCount(4090)), "over a border"u8).ThrowIfError();
        byte[] back = new byte[13];
        user.TryRead(user.Range.Start.AddChecked(new ByteCount(4090)), back).ThrowIfError();
        Assert.That(back, Is.EqualTo("over a border"u8.ToArray()));
        Assert.That(user.CountPins(0), Is.EqualTo(1), "pinned once");

        context.TryCreateSpace(out IoAddressSpace? other).ThrowIfError();
        rig.Device.TryAttach(other).ThrowIfError();
        Assert.That(rig.Device.TryDmaRead(address, back), Is.EqualTo(Errno.EFAULT), "another space");
        rig.Device.TryAttach(space).ThrowIfError();
        Assert.That(rig.Device.TryDmaRead(address, back), Is.EqualTo(Errno.Ok));
        rig.Device.Remove();
        Assert.That((rig.Device.Space, space.Domains.Count), Is.EqualTo(((IoAddressSpace?)null, 0)));
        context.Validate();
    }

    private static Errno Export(VfioRig rig, VfioRegion region, uint flags = 0, params BarRange[] slices) =>
        rig.Device.TryExport(region, slices, flags, rig.Files, out _);
}
