using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Devices.Tests.Vfio;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S4, sub-page, tightly packed: "a unique pgmap at 4k granuals (or maybe smaller, technically), tightly packed".</summary>
[Category("Seeds")]
internal sealed class SubPageTightlyPackedTests
{
    private static readonly PciPlace Client = PciAddress.Parse("0000:04:00.0");
    private static readonly PciPlace First = PciAddress.Parse("0000:03:00.1");
    private static readonly PciPlace Second = PciAddress.Parse("0000:03:00.2");
    private static readonly PhysAddr Start = new(0xd000_0000);

    [Test]
    public void SlicesOfNeighbouringFunctionsBars_InOneList_AreByteExactWithoutPageDescriptors()
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(16))).Build();
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        var pci = new PciSystem(machine, topology!);
        // Two functions with BARs of 512 bytes and 4 KiB, one right after the other: they share pages.
        Add(pci, First, new PciBar(0, Start, new ByteCount(512), PciBarFlags.Memory));
        Add(pci, Second, new PciBar(0, Start.AddChecked(new ByteCount(512)), new ByteCount(4096), PciBarFlags.Memory));
        pci.Bars.TryGet(First, 0, out BarProvider? one).ThrowIfError();
        pci.Bars.TryGet(Second, 0, out BarProvider? two).ThrowIfError();
        PhysRange[] slices =
        [
            one!.Aperture, two!.Aperture, one.Aperture.Slice(new ByteCount(3), new ByteCount(61)), two.Aperture.Slice(new ByteCount(512), new ByteCount(512)),
        ];
        PhysRangeListBuilder builder = pci.CreateListBuilder();
        builder.TryAppend(slices).ThrowIfError();
        using PhysRangeList list = builder.Build();

        Assert.That(list.Ranges.ToArray(), Is.EqualTo(slices), "neighbours of two owners stay apart");
        Assert.That(list.OwnerRuns.ToArray().Select(static run => run.Owner.HasPages), Is.All.False);
        Assert.That(machine.Frames.HasMetadata(new Pfn(Start.Value >> 12)), Is.False, "no page descriptor was made");
        pci.TryAttach(Client, DmaMask.Bits64, default, domain: null, out DmaDevice? view).ThrowIfError();
        view!.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            AssertByteExact(machine, slices, [one, two, one, two], mapping!);
        }

        pci.Validate();
    }

    [Test]
    public void SlicesOf512BytesOfAVfioDevice_AreSharedAsOneBuffer()
    {
        using var rig = new VfioRig(granule: new ByteCount(512));
        BarRange[] pieces = [.. Enumerable.Range(0, 64).Select(static index => VfioRig.Slice((ulong)index * 1536, 512))];
        using BufferHandle handle = rig.Export(pieces);
        using BufferAttachment attachment = VfioRig.Import(handle, rig.Near, new VfioRig.Noting());
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        rig.Pci.Bars.TryGet(rig.Device.Place, 1, out BarProvider? vram).ThrowIfError();

        Assert.That(handle.Buffer.Size, Is.EqualTo(new ByteCount(64 * 512)));
        Assert.That(
            mapping!.Segments.ToArray().Select(static segment => (segment.Address, segment.Length)),
            Is.EqualTo(pieces.Select(piece => (vram!.ToBusAddress(vram.Aperture.Start.AddChecked(piece.Offset)), piece.Length))));
        Assert.That(rig.Pci.Bars.Count, Is.EqualTo(1), "one provider, however many slices");
        mapping.Dispose();
    }

    private static void AssertByteExact(Machine machine, PhysRange[] slices, BarProvider[] owners, DmaMapping mapping)
    {
        Assert.That(mapping.Segments.Length, Is.EqualTo(slices.Length));
        for (int index = 0; index < slices.Length; index++)
        {
            DmaSegment segment = mapping.Segments[index];
            Assert.That((segment.Address, segment.Length), Is.EqualTo((owners[index].ToBusAddress(slices[index].Start), slices[index].Length)));
            byte[] bytes = new byte[segment.Length.Value];
            bytes.AsSpan().Fill((byte)(index + 1));
            mapping.Device.Port.TryWrite(segment.Address, bytes, out _).ThrowIfError();
            using SpanLease lease = machine.Lease(slices[index]);
            Assert.That(lease.Bytes.ContainsAnyExcept((byte)(index + 1)), Is.False);
        }

        using SpanLease first = machine.Lease(slices[0]);
        Assert.That((first.Bytes[2], first.Bytes[3], first.Bytes[63], first.Bytes[64]), Is.EqualTo(((byte)1, (byte)3, (byte)3, (byte)1)));
    }

    private static void Add(PciSystem pci, PciPlace place, PciBar bar)
    {
        PciFunction like = pci.Devices.Collect().Single(static device => device.Place == PciAddress.Parse("0000:03:00.0")).Function;
        pci.TryAdd(like with { Address = place.Address, Bars = [bar], OsDevices = [], Label = null }, out TopologyDefect defect).ThrowIfError();
    }
}
