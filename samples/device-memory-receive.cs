#:project ../src/Mm.Devices/Mm.Devices.csproj

// A network card receives over a real TCP connection straight into a GPU's memory: a piece of its BAR is shared as a
// buffer and bound to a queue, the flow is steered there, and the process is told where its bytes lie.
//
//   dotnet run -c Release samples/device-memory-receive.cs
using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Devices;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

Topology topology = BuiltInMachines.TryGet("two-switch", out Topology? found) ? found : throw new InvalidOperationException("gone");
using Machine machine = Machine.CreateBuilder()
    .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromGiB(1)))
    .Build();
var pci = new PciSystem(machine, topology);
var system = new BufferSystem(machine);
PciPlace gpu = PciAddress.Parse("0000:03:00.0");
pci.TryAttach(PciAddress.Parse("0000:04:00.0"), DmaMask.Bits64, default, domain: null, out DmaDevice? device).ThrowIfError();
Nic.TryCreate(machine, device!, new NicOptions(), out Nic? nic).ThrowIfError();

// The GPU's driver gives 64 KiB of its memory; the process binds them to queue 1.
BarRange[] piece = [new BarRange(ByteCount.FromMiB(8), ByteCount.FromKiB(64))];
new BarExporter(system.Buffers, pci).TryExport(gpu, bar: 1, piece, out _, out BufferHandle? buffer).ThrowIfError();
NicControl control = nic!.OpenControl();
control.TryBind(buffer!, [QueueId.Receive(1)], out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();

// A connection of the system, whose receiving end the card takes over.
using var listener = new TcpListener(IPAddress.Loopback, 0);
listener.Start();
using var sender = new TcpClient();
sender.Connect((IPEndPoint)listener.LocalEndpoint);
nic.TryOpen(listener.AcceptSocket(), out NicSocket? socket).ThrowIfError();
nic.Steering.TryAdd(new FlowRule { SourcePort = socket!.Flow.Source.Port, Queue = 1 }, out _).ThrowIfError();
byte[] sent = new byte[10_000];
machine.CreateRandom("payload").Fill(sent);
await sender.GetStream().WriteAsync(sent);
Landing landing = await socket.LandAsync(new ByteCount(10_000));
Console.WriteLine($"{landing.Bytes} landed: {landing.End}");
Console.WriteLine($"a plain receive: {socket.TryReceive(new byte[100], ReceiveFlags.None, null, out _)}");

var controls = new ControlBuffer(16);
socket.TryReceive(new byte[10_000], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
pci.Bars.TryGet(gpu, bar: 1, out BarProvider? memory).ThrowIfError();
int done = 0;
foreach (ReceiveControl message in controls.Messages)
{
    using SpanLease lease = machine.Lease(memory!.Aperture.Slice(piece[0].Offset.AddChecked(message.Offset), message.Size));
    bool isSame = lease.Bytes.SequenceEqual(sent.AsSpan(done, lease.Bytes.Length));
    Console.WriteLine($"  {message.Size} at 0x{message.Offset.Value:x}, token {message.Token}: {(isSame ? "as sent" : "lost")}");
    done += lease.Bytes.Length;
}

socket.TryReturnTokens([new TokenRange(1, 3)], out int freed).ThrowIfError();
control.Dispose();
nic.Dispose();
buffer!.Dispose();
var ledger = new List<LedgerEntry>();
nic.Report(ledger);
Console.WriteLine($"{freed} tokens given back, {binding!.FreePages} free, {ledger.Count} holdings and {device!.LiveMappings} mappings are left");
