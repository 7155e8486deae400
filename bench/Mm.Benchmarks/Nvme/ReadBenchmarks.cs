using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Devices.Nvme;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Benchmarks.Nvme;

/// <summary>
/// 64 MiB of a file in requests of 1 MiB: read plainly past the page cache, and by a modelled drive into a peer's BAR memory.
/// What the drive costs more is queues, lists, mapping and completions; the bytes go the same way.
/// </summary>
[MemoryDiagnoser]
public class ReadBenchmarks
{
    private const int Requests = 64;
    private static readonly ByteCount RequestBytes = ByteCount.FromMiB(1);

    private string path = null!;
    private Machine machine = null!;
    private NvmeController drive = null!;
    private NvmeNamespace blocks = null!;
    private NvmeQueuePair queue = null!;
    private PhysRangeList target = null!;
    private DirectFile file = null!;
    private NativeRegion memory = null!;

    [Params(false, true)]
    public bool IsTranslated { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        path = Path.GetTempFileName();
        using (var stream = new FileStream(path, FileMode.Create))
        {
            byte[] part = new byte[RequestBytes.Value];
            for (int index = 0; index < Requests; index++)
            {
                stream.Write(part);
            }
        }

        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64))).Build();
        _ = BuiltInMachines.TryGet("nvme-cmb", out Topology? topology);
        var pci = new PciSystem(machine, topology!);
        NvmeController.TryCreate(
            pci, PciAddress.Parse("0000:18:00.0"), new NvmeOptions { Domain = IsTranslated ? pci.CreateDomain("drive") : null },
            out NvmeController? made).ThrowIfError();
        drive = made!;
        drive.TryAddNamespace(path, new ByteCount(4096), out NvmeNamespace? added).ThrowIfError();
        blocks = added!;
        drive.TryCreateQueuePair(64, out NvmeQueuePair? pair).ThrowIfError();
        queue = pair!;
        pci.Bars.TryGet(PciAddress.Parse("0000:19:00.0"), 4, out BarProvider? peer).ThrowIfError();
        PhysRangeListBuilder builder = pci.CreateListBuilder();
        builder.TryAppend(peer!.Aperture.Slice(ByteCount.Zero, RequestBytes)).ThrowIfError();
        target = builder.Build();
        file = DirectFile.Open(path);
        memory = machine.CreateDeviceMemory(RequestBytes);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        file.Dispose();
        memory.Dispose();
        target.Dispose();
        drive.Dispose();
        machine.Dispose();
        File.Delete(path);
    }

    /// <summary>Reads of the real system into memory, nothing else.</summary>
    [Benchmark(Baseline = true)]
    public void PlainDirectReads()
    {
        for (int index = 0; index < Requests; index++)
        {
            using SpanLease lease = memory.Lease(ByteCount.Zero, RequestBytes);
            file.TryRead(new ByteCount((ulong)index * RequestBytes.Value), lease.Bytes).ThrowIfError();
        }
    }

    /// <summary>The drive reads into the peer's BAR.</summary>
    [Benchmark]
    public void NvmeToBar()
    {
        for (int index = 0; index < Requests; index++)
        {
            queue.TryTransfer(
                NvmeOpcode.Read, blocks, new ByteCount((ulong)index * RequestBytes.Value), target).ThrowIfError();
        }
    }
}
