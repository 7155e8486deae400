using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Benchmarks.Buffers;

/// <summary>A buffer from its export to its release. The kernel's peers: dma_buf_export and DMA_HEAP_IOCTL_ALLOC.</summary>
[MemoryDiagnoser]
public class ExportBenchmarks
{
    private readonly BufferTraits traits = new();
    private Machine machine = null!;
    private BufferSystem system = null!;
    private ListExporter exporter = null!;

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(4))).Build();
        system = new BufferSystem(machine);
        exporter = new ListExporter(ListExporter.OneGiB(machine, isFragmented: false), traits);
    }

    [GlobalCleanup]
    public void Cleanup() => machine.Dispose();

    /// <summary>Of memory that is there.</summary>
    [Benchmark(Baseline = true)]
    public void Export()
    {
        DmaBuffer.TryExport(system.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
        handle!.Dispose();
    }

    /// <summary>Of a page of the system heap, taken, zeroed and given back.</summary>
    [Benchmark]
    public void HeapPage()
    {
        system.Heaps.TryAllocate("system", new HeapRequest(new ByteCount(4096)), out BufferHandle? handle).ThrowIfError();
        handle!.Dispose();
    }
}
