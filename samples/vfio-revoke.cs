#:project ../src/Mm.Devices/Mm.Devices.csproj

// User space drives a GPU through VFIO and shares 512-byte slices of its BAR with a NIC. Turning the decoding of memory off, as
// a reset does, takes them away: it waits for the NIC's work, and what the NIC had mapped leads nowhere. Then it maps again.
//
//   dotnet run -c Release samples/vfio-revoke.cs
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices.Vfio;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

Topology topology = BuiltInMachines.TryGet("two-switch", out Topology? found) ? found : throw new InvalidOperationException("gone");
using Machine machine = Machine.CreateBuilder().Build();
var pci = new PciSystem(machine, topology);
var system = new BufferSystem(machine);
using FileTable files = system.CreateFileTable();
VfioPciDevice.TryOpen(pci, PciAddress.Parse("0000:03:00.0"), system.Buffers, out VfioPciDevice? gpu, granule: new ByteCount(512)).ThrowIfError();
pci.TryAttach(PciAddress.Parse("0000:04:00.0"), DmaMask.Bits64, default, domain: null, out DmaDevice? nic).ThrowIfError();

BarRange[] slices = [.. Enumerable.Range(0, 4).Select(index => new BarRange(new ByteCount((ulong)index * 1024), new ByteCount(512)))];
gpu!.TryExport(VfioRegion.Bar1, slices, flags: 0, files, out FileNumber number).ThrowIfError();
files.TryGetBuffer(number, out BufferHandle? handle).ThrowIfError();
BufferAttachment.TryAttach(handle!, nic!, new Importer(), out BufferAttachment? attachment).ThrowIfError();
attachment!.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
DmaAddr first = mapping!.Segments[0].Address;
Console.WriteLine($"{handle!.Buffer.Size} in {mapping.Segments.Length} slices, the first at {mapping.Segments[0]}");
gpu.TryMap(VfioRegion.Bar1, ByteCount.Zero, new ByteCount(4096), isShared: true, out VfioRegionMap? view).ThrowIfError();
nic!.Port.TryWrite(first, "from the NIC"u8, out _).ThrowIfError();
byte[] bytes = new byte[12];
Console.WriteLine($"the CPU reads: {view!.Read(ByteCount.Zero, bytes)}, \"{System.Text.Encoding.ASCII.GetString(bytes)}\"");

var work = new DmaFence(system.Contexts, system.Contexts.Next(), seqno: 1);
using (ReservationLock held = handle.Buffer.Reservation.Lock())
{
    held.TryReserve(1).ThrowIfError();
    held.Add(work, FenceUsage.Bookkeep);
}

Console.WriteLine($"decode off while the NIC works: {gpu.TrySetDecoding(isOn: false, timeoutNs: 0)}");
work.Signal().ThrowIfError();
Console.WriteLine($"its work is done: {gpu.TrySetDecoding(isOn: false, timeoutNs: 0)}");
Console.WriteLine($"the NIC: {nic.Port.TryRead(first, bytes, out DmaFault fault)} ({fault.Kind}); the CPU: {view.Read(ByteCount.Zero, bytes)}");
Console.WriteLine($"mapping it again: {attachment.TryMap(DmaDirection.ToDevice, out _)}");
gpu.TrySetDecoding(isOn: true).ThrowIfError();
Errno again = attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? anew);
Console.WriteLine($"decode on: {again}, the CPU: {view.Read(ByteCount.Zero, bytes)}");
anew!.Dispose();
mapping.Dispose();
attachment.Dispose();
handle.Dispose();
gpu.Dispose();
pci.Validate();
Console.WriteLine("closed, and every count adds up");

internal sealed class Importer : IBufferImporter
{
    public bool AllowsPeerToPeer => true;

    public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice) =>
        Console.WriteLine($"  the NIC is told: {notice}");
}
