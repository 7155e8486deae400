#:project ../src/Mm.Devices/Mm.Devices.csproj

// One process's memory and a GPU's buffer, registered with a NIC under three contracts; a second NIC writes to them by key.
// Pinned pages stay; pages on demand follow the process; the GPU takes its memory back, and the region ends in an error.
//
//   dotnet run -c Release samples/rdma-regions.cs
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

const RegionAccess All = RegionAccess.LocalWrite | RegionAccess.RemoteWrite;
Topology topology = BuiltInMachines.TryGet("two-switch", out Topology? found) ? found : throw new InvalidOperationException("gone");
using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(64))).Build();
var pci = new PciSystem(machine, topology);
var buffers = new BufferSystem(machine);
var wire = new RdmaWire();
machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
(RdmaNic target, ProtectionDomain domain, RdmaQueuePair there, _) = Open("0000:04:00.0");
(RdmaNic sender, ProtectionDomain own, RdmaQueuePair here, CompletionQueue done) = Open("0000:08:00.0");
here.TryConnect(there).ThrowIfError();

VirtRange source = Map("the GPU is told nothing"u8);
own.TryRegister(source.Start, source.Length, All, out MemoryRegion? local).ThrowIfError();
VirtRange memory = Map("................................"u8);
domain.TryRegister(memory.Start, memory.Length, All, out MemoryRegion? pinned).ThrowIfError();
Console.WriteLine($"{Write(pinned!)}: {domain.Context.PinnedPages} pinned, the process reads {Read(memory)}");

domain.TryRegister(memory.Start, memory.Length, All | RegionAccess.OnDemand, out MemoryRegion? onDemand).ThrowIfError();
pinned!.Dispose();
process!.TryDropPages(memory.Start, memory.Length).ThrowIfError();
Console.WriteLine($"{Write(onDemand!)}: {domain.Context.PinnedPages} pinned, faulted in {onDemand!.TableLoads} page, the process reads {Read(memory)}");

new BarExporter(buffers.Buffers, pci) { PinsForRevocable = true }.TryExport(
    PciAddress.Parse("0000:03:00.0"), bar: 1, [new BarRange(ByteCount.Zero, new ByteCount(8192))], out BarBuffer? gpu, out BufferHandle? vram).ThrowIfError();
domain.TryRegisterBuffer(vram!, default, vram!.Buffer.Size, memory.Start, All, RegionContract.BufferRevocable, out MemoryRegion? region).ThrowIfError();
Console.WriteLine($"{Write(region!)}: {gpu!.PinCount} pin of the GPU's memory");
gpu.TryRevoke().ThrowIfError();
Console.WriteLine($"taken away, {gpu.PinCount} pins; {Write(region!)}, region {region!.State}");
using (vram) using (target) { sender.Dispose(); }
pci.Validate();
Console.WriteLine($"every count adds up, {buffers.Buffers.Count} buffers left");

(RdmaNic Nic, ProtectionDomain Domain, RdmaQueuePair Pair, CompletionQueue Queue) Open(string place)
{
    RdmaNic.TryCreate(wire, pci, PciAddress.Parse(place), options: null, out RdmaNic? nic).ThrowIfError();
    nic!.TryOpen(process!, memlock: new PageCount(16), out RdmaContext? context).ThrowIfError();
    context!.TryCreateDomain(out ProtectionDomain? made).ThrowIfError();
    var ended = new CompletionQueue(capacity: 16);
    made!.TryCreateQueuePair(ended, ended, depth: 8, out RdmaQueuePair? pair).ThrowIfError();
    return (nic, made, pair!, ended);
}

WorkStatus Write(MemoryRegion remote)
{
    var piece = new LocalPiece(source.Start, new ByteCount(23), local!.Key);
    here.TryPost(new WorkRequest(1, WorkOpcode.Write, piece) { RemoteAddress = remote.Range.Start, RemoteKey = remote.Key }).ThrowIfError();
    return done.TryPoll(out WorkCompletion completion) ? completion.Status : WorkStatus.Flushed;
}

VirtRange Map(ReadOnlySpan<byte> bytes)
{
    var request = new AreaRequest(new ByteCount(8192), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
    process!.TryMap(request, out VirtRange range).ThrowIfError();
    _ = process.Write(range.Start, bytes);
    return range;
}

string Read(VirtRange range)
{
    byte[] bytes = new byte[23];
    return $"{process!.Read(range.Start, bytes)}: {System.Text.Encoding.ASCII.GetString(bytes)}";
}
