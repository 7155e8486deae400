using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Vfio;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Vfio;

/// <summary>A GPU that user space drives, a process's files, and a NIC that imports.</summary>
internal sealed class VfioRig : IDisposable
{
    internal VfioRig(ByteCount granule = default)
    {
        Machine = Machine.CreateBuilder().WithSeed(5)
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64))).Build();
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        Pci = new PciSystem(Machine, topology!);
        System = new BufferSystem(Machine);
        Files = System.CreateFileTable();
        VfioPciDevice.TryOpen(Pci, PciAddress.Parse("0000:03:00.0"), System.Buffers, out VfioPciDevice? device, granule).ThrowIfError();
        Device = device!;
        Near = Attach("0000:04:00.0");
        Far = Attach("0000:81:00.0");
    }

    internal Machine Machine { get; }

    internal PciSystem Pci { get; }

    internal BufferSystem System { get; }

    internal FileTable Files { get; }

    internal VfioPciDevice Device { get; }

    internal DmaDevice Near { get; }

    internal DmaDevice Far { get; }

    internal static BarRange Slice(ulong offset, ulong length) => new(new ByteCount(offset), new ByteCount(length));

    internal BufferHandle Export(params BarRange[] slices)
    {
        Device.TryExport(VfioRegion.Bar1, slices, 0, Files, out FileNumber number).ThrowIfError();
        Files.TryGetBuffer(number, out BufferHandle? handle).ThrowIfError();
        Files.TryClose(number).ThrowIfError();
        return handle!;
    }

    internal static BufferAttachment Import(BufferHandle handle, DmaDevice device, IBufferImporter importer)
    {
        BufferAttachment.TryAttach(handle, device, importer, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }

    internal List<LedgerEntry> Ledger()
    {
        var entries = new List<LedgerEntry>();
        Device.Report(entries);
        return entries;
    }

    public void Dispose()
    {
        Device.Dispose();
        Assert.That(Ledger(), Is.Empty);
        Files.Dispose();
        Assert.That(System.Buffers.Count, Is.Zero, "a buffer is left");
        Pci.Validate();
        System.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero));
    }

    private DmaDevice Attach(string place)
    {
        Pci.TryAttach(PciAddress.Parse(place), DmaMask.Bits64, default, domain: null, out DmaDevice? view).ThrowIfError();
        return view!;
    }

    /// <summary>An importer that notes what it is told.</summary>
    internal sealed class Noting(bool allowsPeer = true) : IBufferImporter
    {
        public bool AllowsPeerToPeer => allowsPeer;

        internal List<MoveNotice> Told { get; } = [];

        public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice) => Told.Add(notice);
    }
}
