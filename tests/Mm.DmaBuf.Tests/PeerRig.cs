using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.DmaBuf.Tests;

/// <summary>The machine of two switches: a GPU with memory, a NIC beside it, a drive across the host bridge, a NIC that is refused.</summary>
internal sealed class PeerRig : IDisposable
{
    private readonly BufferRig rig;

    internal PeerRig(IYieldPoints? points = null)
    {
        rig = new BufferRig(new PhysAddr(0x1_0000_0000), points);
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        Pci = new PciSystem(rig.Machine, topology!);
        Pci.Bars.TryGet(Gpu, 1, out BarProvider? provider).ThrowIfError();
        Provider = provider!;
        Near = Attach("0000:04:00.0");
        Across = Attach("0000:08:00.0");
        Far = Attach("0000:81:00.0");
    }

    internal static PciPlace Gpu => PciAddress.Parse("0000:03:00.0");

    internal Machine Machine => rig.Machine;

    internal BufferSystem System => rig.System;

    internal BufferRig Ram => rig;

    internal PciSystem Pci { get; }

    internal BarProvider Provider { get; }

    /// <summary>Reaches the GPU's memory by bus address.</summary>
    internal DmaDevice Near { get; }

    /// <summary>Reaches it through the host bridge.</summary>
    internal DmaDevice Across { get; }

    /// <summary>Does not reach it.</summary>
    internal DmaDevice Far { get; }

    public void Dispose()
    {
        Pci.Validate();
        rig.Dispose();
    }

    internal PhysRange Vram(int page, int pages) =>
        Provider.Aperture.Slice(new PageCount((ulong)page).ToBytes(), new PageCount((ulong)pages).ToBytes());

    internal BufferHandle Moving(out MovingBuffer exporter, int pages = 4)
    {
        MovingBuffer.TryExport(System.Buffers, Pci.Owners, Provider, [Vram(0, pages)], out MovingBuffer? made, out BufferHandle? handle).ThrowIfError();
        exporter = made!;
        return handle!;
    }

    internal BufferHandle Bar(out BarBuffer exporter, params BarRange[] pieces)
    {
        new BarExporter(System.Buffers, Pci) { Granule = new ByteCount(1) }
            .TryExport(Gpu, 1, pieces, out BarBuffer? made, out BufferHandle? handle).ThrowIfError();
        exporter = made!;
        return handle!;
    }

    internal static BarRange Piece(ulong offset, ulong length) => new(new ByteCount(offset), new ByteCount(length));

    internal void Fill(PhysRange range, ReadOnlySpan<byte> bytes)
    {
        using SpanLease lease = Machine.Lease(range);
        bytes.CopyTo(lease.Bytes);
    }

    internal static byte[] Read(DmaDevice device, ReadOnlySpan<DmaSegment> segments)
    {
        var all = new List<byte>();
        foreach (DmaSegment segment in segments)
        {
            byte[] part = new byte[segment.Length.Value];
            device.Port.TryRead(segment.Address, part, out DmaFault fault).ThrowIfError();
            Assert.That(fault.IsFault, Is.False);
            all.AddRange(part);
        }

        return [.. all];
    }

    internal static void Write(DmaDevice device, ReadOnlySpan<DmaSegment> segments, ReadOnlySpan<byte> bytes)
    {
        foreach (DmaSegment segment in segments)
        {
            int length = (int)segment.Length.Value;
            device.Port.TryWrite(segment.Address, bytes[..length], out _).ThrowIfError();
            bytes = bytes[length..];
        }
    }

    private DmaDevice Attach(string place)
    {
        Pci.TryAttach(PciAddress.Parse(place), DmaMask.Bits64, default, domain: null, out DmaDevice? view).ThrowIfError();
        return view!;
    }
}
