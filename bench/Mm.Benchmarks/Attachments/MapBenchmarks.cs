using BenchmarkDotNet.Attributes;
using Mm.Benchmarks.Buffers;
using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Benchmarks.Attachments;

/// <summary>
/// 1 GiB attached and mapped for a device without translation. The kernel's peers: dma_buf_attach and dma_buf_map_attachment;
/// its own mapping of an unchanged buffer, where the exporter keeps none, is a new one each time.
/// </summary>
[MemoryDiagnoser]
public class MapBenchmarks
{
    private Machine machine = null!;
    private BufferHandle handle = null!;
    private BufferAttachment attachment = null!;
    private DmaDevice device = null!;
    private DmaDevice other = null!;

    [Params(false, true)]
    public bool IsFragmented { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(4))).Build();
        var system = new BufferSystem(machine);
        var exporter = new ListExporter(ListExporter.OneGiB(machine, IsFragmented), new BufferTraits());
        DmaBuffer.TryExport(system.Buffers, exporter, reservation: null, out BufferHandle? made).ThrowIfError();
        handle = made!;
        device = machine.Dma.Attach(machine.RegisterDevice("device"), DmaMask.Bits64);
        other = machine.Dma.Attach(machine.RegisterDevice("other"), DmaMask.Bits64);
        BufferAttachment.TryAttach(handle, device, importer: null, out BufferAttachment? attached).ThrowIfError();
        attachment = attached!;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        attachment.Dispose();
        handle.Dispose();
        machine.Dispose();
    }

    /// <summary>Attach and detach.</summary>
    [Benchmark]
    public void Attach()
    {
        BufferAttachment.TryAttach(handle, other, importer: null, out BufferAttachment? attached).ThrowIfError();
        attached!.Dispose();
    }

    /// <summary>Attach, map for the first time, unmap and detach.</summary>
    [Benchmark(Baseline = true)]
    public void AttachAndMap()
    {
        BufferAttachment.TryAttach(handle, other, importer: null, out BufferAttachment? attached).ThrowIfError();
        attached!.TryMap(DmaDirection.Bidirectional, out _).ThrowIfError();
        attached.Dispose();
    }

    /// <summary>Map again where nothing has moved.</summary>
    [Benchmark]
    public void MapUnchanged()
    {
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        attachment.TryMap(held, DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        mapping!.Dispose();
    }
}
