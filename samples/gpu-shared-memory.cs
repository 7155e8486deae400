#:project ../src/Mm.Devices/Mm.Devices.csproj

// A GPU with more memory than its BAR shows. A program's buffer moves behind the BAR because a NIC maps it; a process's array
// comes to the GPU by faults, chunk by chunk, and a chunk goes home when the CPU touches it. Then the GPU is taken out.
//
//   dotnet run -c Release samples/gpu-shared-memory.cs
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices;
using Mm.Devices.Gpus;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;
using Mm.Hmm.Copying;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

Topology topology = BuiltInMachines.TryGet("two-switch", out Topology? found) ? found : throw new InvalidOperationException("gone");
using Machine machine = Machine.CreateBuilder()
    .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64)))
    .Build();
var pci = new PciSystem(machine, topology);
var buffers = new BufferSystem(machine);
var options = new GpuOptions { Memory = ByteCount.FromMiB(4), Visible = ByteCount.FromMiB(1), Drive = CopyEngineDrive.Stepped };
Gpu.TryCreate(pci, buffers, PciAddress.Parse("0000:03:00.0"), options, out Gpu? gpu).ThrowIfError();
Console.WriteLine(gpu);

// A program's buffer, where only the GPU reaches it; the NIC beside it gets an address all the same.
gpu!.TryCreateObject(new GpuObjectRequest(ByteCount.FromKiB(512)), out GpuObject? weights).ThrowIfError();
Console.WriteLine(weights);
pci.TryAttach(PciAddress.Parse("0000:04:00.0"), DmaMask.Bits64, default, domain: null, out DmaDevice? nic).ThrowIfError();
weights!.TryExport(out BufferHandle? handle).ThrowIfError();
BufferAttachment.TryAttach(handle!, nic!, new Follower(), out BufferAttachment? attachment).ThrowIfError();
attachment!.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
Console.WriteLine($"{attachment.Terms}: {weights}, first {mapping!.Segments[0]}");

// A process's array: one chunk of 2 MiB and sixteen of 64 KiB, the largest that fit.
machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
gpu.TryOpen(process!, new SvmOptions(), out GpuSvm? svm).ThrowIfError();
var traits = new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
var request = new AreaRequest(ByteCount.FromMiB(3), traits) { At = new VirtAddr(0x4000_0000) };
process!.TryMap(request, out VirtRange array).ThrowIfError();
svm!.Policy = new SvmRequest { WantsDevice = true };
svm.TryWrite(array.Start, new byte[array.Length.Value]).ThrowIfError();
Console.WriteLine($"{svm.Ranges.Count} ranges, the first {svm.Ranges[0].Range.Length}; {svm.MappedPages} mapped; {gpu.Memory.UsedPages} taken");
Console.WriteLine($"the GPU's engine: {gpu.Copier.Counters}");

Console.WriteLine($"the CPU touches one byte: {process.Read(array.Start, new byte[1])}, {gpu.Memory.UsedPages} taken");
var ledger = new List<LedgerEntry>();
gpu.Report(ledger);
foreach (LedgerEntry entry in ledger.Where(static entry => !entry.Holder.EndsWith("memory", StringComparison.Ordinal)))
{
    Console.WriteLine($"  {entry.Holder}: {entry.Count} {entry.Kind}, {entry.Held}");
}

gpu.Remove();
Console.WriteLine($"removed: the NIC's mapping is {(mapping.IsValid ? "valid" : "dead")}, {weights.Reservation.GetFences(FenceUsage.Bookkeep).Count} fences wait");
process.Dispose();
mapping.Dispose();
attachment.Dispose();
handle!.Dispose();
weights.Dispose();
Console.WriteLine($"{gpu.Memory.UsedPages} taken");

internal sealed class Follower : IBufferImporter
{
    public bool AllowsPeerToPeer => true;

    public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice) => Console.WriteLine($"the NIC is told: {notice}");
}
