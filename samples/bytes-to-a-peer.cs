#:project ../src/Mm.P2pDma/Mm.P2pDma.csproj

// One list of GPU memory, mapped for three devices: one reaches it by bus address, one through the host bridge, one is
// refused. The two that got addresses write through their DMA engines, and the bytes are compared where they landed.
//
//   dotnet run -c Release samples/bytes-to-a-peer.cs
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Mapping;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

Topology topology = BuiltInMachines.TryGet("two-switch", out Topology? found) ? found : throw new InvalidOperationException("gone");
using Machine machine = Machine.CreateBuilder()
    .WithSeed(1)
    .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromGiB(1)))
    .Build();
var pci = new PciSystem(machine, topology);
var gpu = PciAddress.Parse("0000:03:00.0");
PciPlace[] clients = [PciAddress.Parse("0000:04:00.0"), PciAddress.Parse("0000:08:00.0"), PciAddress.Parse("0000:81:00.0")];

// The driver of a BAR makes its provider and stays the only allocator of what lies behind it: here, two odd places.
pci.Bars.TryGet(gpu, bar: 1, out BarProvider? memory).ThrowIfError();
PhysRangeListBuilder builder = pci.CreateListBuilder();
builder.TryAppend(memory!.Aperture.Slice(ByteCount.FromMiB(64), ByteCount.FromKiB(256))).ThrowIfError();
builder.TryAppend(memory.Aperture.Slice(ByteCount.FromMiB(96), new ByteCount(100))).ThrowIfError();
using PhysRangeList list = builder.Build();
Console.WriteLine($"{list.Count} ranges, {list.Length} of {memory.Name}");

IommuDomain domain = pci.CreateDomain("iommu");
foreach (PciPlace client in clients)
{
    pci.TryAttach(client, DmaMask.Bits64, default, domain, out _).ThrowIfError();
}

foreach (PeerMapAttempt attempt in pci.Mapper.MapForEach(list, DmaDirection.FromDevice, clients))
{
    using PeerMapAttempt held = attempt;
    Console.WriteLine($"{attempt.Client}: {attempt.Routes[0].Verdict}, {attempt.Errno}");
    if (attempt.Mapping is { } mapping)
    {
        WriteAndCompare(mapping, machine.CreateRandom(attempt.Client.ToString()));
    }
}

pci.Validate();
Console.WriteLine($"afterwards {domain.MappedBytes} are mapped, and every count adds up");

void WriteAndCompare(DmaMapping mapping, MachineRandom random)
{
    byte[] sent = new byte[mapping.Length.Value];
    random.Fill(sent);
    ReadOnlySpan<byte> rest = sent;
    foreach (DmaSegment segment in mapping.Segments)
    {
        int length = (int)segment.Length.Value;
        mapping.Device.Port.TryWrite(segment.Address, rest[..length], out _).ThrowIfError();
        rest = rest[length..];
    }

    // The list's own ranges, as the CPU sees them: cut otherwise than the segments, the same bytes.
    rest = sent;
    bool isSame = true;
    foreach (PhysRange range in list)
    {
        using SpanLease lease = machine.Lease(range);
        isSame &= lease.Bytes.SequenceEqual(rest[..lease.Bytes.Length]);
        rest = rest[lease.Bytes.Length..];
    }

    Console.WriteLine($"  first {mapping.Segments[0]}, {mapping.Segments.Length} in all; bytes {(isSame ? "arrived" : "lost")}");
}
