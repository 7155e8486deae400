#:project ../src/Mm.Devices/Mm.Devices.csproj

// From a file straight into a GPU: an NVMe drive on a real file reads into the memory of a peer's BAR, which stands for the
// GPU's, and into its own controller memory buffer. Nothing is copied in between; then the drive writes the bytes back elsewhere.
//
//   dotnet run -c Release samples/nvme-to-gpu.cs
using Mm.Core;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Devices;
using Mm.Devices.Nvme;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

Topology topology = BuiltInMachines.TryGet("nvme-cmb", out Topology? found) ? found : throw new InvalidOperationException("gone");
using Machine machine = Machine.CreateBuilder()
    .WithSeed(1)
    .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64)))
    .Build();
var pci = new PciSystem(machine, topology);
pci.Bars.TryGet(PciAddress.Parse("0000:19:00.0"), bar: 4, out BarProvider? gpu).ThrowIfError();

string path = Path.GetTempFileName();
byte[] content = new byte[1 << 20];
machine.CreateRandom("weights").Fill(content);
File.WriteAllBytes(path, content);

NvmeController.TryCreate(pci, PciAddress.Parse("0000:18:00.0"), new NvmeOptions { BufferBar = 4 }, out NvmeController? drive).ThrowIfError();
using (drive)
{
    drive!.TryAddNamespace(path, blockSize: new ByteCount(4096), out NvmeNamespace? blocks).ThrowIfError();
    drive.TryCreateQueuePair(depth: 32, out NvmeQueuePair? queue, isInBuffer: true).ThrowIfError();
    drive.Buffer!.TryAllocate(ByteCount.FromKiB(256), out P2pMemory? own).ThrowIfError();
    using PhysRangeList weights = List(gpu!.Aperture.Slice(ByteCount.FromMiB(1), ByteCount.FromKiB(512)));
    queue!.TryTransfer(NvmeOpcode.Read, blocks!, ByteCount.Zero, weights).ThrowIfError();
    Console.WriteLine($"{weights.Length} into {gpu.Name}: {(Holds(weights, content) ? "the file's bytes" : "other bytes")}");

    // RAM is not needed at all: two peers in one request become two commands.
    using PhysRangeList both = List(own!.Range, gpu.Aperture.Slice(ByteCount.Zero, ByteCount.FromKiB(256)));
    queue.TrySubmit(NvmeOpcode.Read, blocks!, ByteCount.FromKiB(512), both, out NvmeRequest? request).ThrowIfError();
    queue.Reap();
    Console.WriteLine($"{both.Length} into two places: {request}, {(Holds(both, content.AsSpan(512 << 10)) ? "the file's bytes" : "other bytes")}");

    queue.TryTransfer(NvmeOpcode.Write, blocks!, ByteCount.FromKiB(512), weights).ThrowIfError();
    bool isThere = File.ReadAllBytes(path).AsSpan(512 << 10).SequenceEqual(content.AsSpan(0, 512 << 10));
    Console.WriteLine($"written back from the GPU: {(isThere ? "the file has them" : "lost")}");
    own.Dispose();

    var ledger = new List<LedgerEntry>();
    drive.Report(ledger);
    ledger.ForEach(static entry => Console.WriteLine($"  held by {entry.Holder}: {entry.Count} {entry.Kind} ({entry.Held})"));
}

File.Delete(path);
pci.Validate();
Console.WriteLine("every count adds up");

PhysRangeList List(params PhysRange[] ranges)
{
    PhysRangeListBuilder builder = pci.CreateListBuilder();
    builder.TryAppend(ranges).ThrowIfError();
    return builder.Build();
}

bool Holds(PhysRangeList list, ReadOnlySpan<byte> bytes)
{
    foreach (PhysRange range in list)
    {
        using SpanLease lease = machine.Lease(range);
        if (!lease.Bytes.SequenceEqual(bytes[..lease.Bytes.Length])) { return false; }
        bytes = bytes[lease.Bytes.Length..];
    }

    return true;
}
