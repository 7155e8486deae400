using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Rdma;
using Mm.Devices.Tests.Gpus;
using Mm.Devices.Tests.Nics;
using Mm.Devices.Tests.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Soak;

/// <content>Two RDMA NICs on one wire, and a card with real connections.</content>
internal sealed partial class SoakMachine
{
    private readonly List<(MemoryRegion Region, byte[] Model, int Start)> regions = []; // of the far end
    private readonly Socket[] senders = new Socket[2];
    private readonly NicSocket[] receivers = new NicSocket[2];
    private RdmaEnd near = null!;
    private RdmaEnd across = null!;
    private RdmaQueuePair nearPair = null!;
    private RdmaQueuePair acrossPair = null!;
    private MemoryRegion local = null!;
    private Nic card = null!;
    private NicControl? control;
    private GpuObject? landing;
    private BufferHandle? landingHandle;
    private bool isEnding;

    private void StartWire()
    {
        var wire = new RdmaWire();
        near = new RdmaEnd(wire, Pci, "0000:04:00.1", processes[0].Space, null, 4096);
        across = new RdmaEnd(wire, Pci, "0000:08:00.1", processes[1].Space, null, 4096);
        Connect();
        local = near.Register(processes[0].Array);
    }

    private void Connect()
    {
        nearPair?.Dispose();
        acrossPair?.Dispose();
        near.Domain.TryCreateQueuePair(near.Sends, near.Receives, 16, out RdmaQueuePair? one).ThrowIfError();
        across.Domain.TryCreateQueuePair(across.Sends, across.Receives, 16, out RdmaQueuePair? other).ThrowIfError();
        one!.TryConnect(other!).ThrowIfError();
        (nearPair, acrossPair) = (one, other!);
    }

    private void StopWire()
    {
        near.Nic.Remove();
        across.Nic.Remove();
        Assert.That(local.State, Is.EqualTo(RegionState.Deregistered), "a region of a NIC that is gone");
        Assert.That(near.Domain.TryRegister(processes[0].Array.Start, new ByteCount(Page), RdmaEnd.All, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((near.Nic.View.LiveMappings, across.Nic.View.LiveMappings), Is.EqualTo((0, 0)), "a mapping of a NIC is left");
        Assert.That((near.Context.PinnedPages, across.Context.PinnedPages), Is.EqualTo((PageCount.Zero, PageCount.Zero)));
        regions.Clear();
    }

    private void Register()
    {
        if (regions.Count > 8)
        {
            return;
        }

        SoakProcess process = processes[1];
        int page = Below(ArrayPages - 4);
        Errno errno;
        MemoryRegion? region;
        switch (Below(5))
        {
            case 0:
                errno = across.Domain.TryRegister(process.At(page * Page), new ByteCount(4 * Page), RdmaEnd.All, out region);
                Add(errno, region, process.Model, page * Page);
                break;
            case 1:
                errno = across.Domain.TryRegister(
                    process.At(page * Page), new ByteCount(4 * Page), RdmaEnd.All | RegionAccess.OnDemand, out region);
                Add(errno, region, process.Model, page * Page);
                break;
            default:
                if (objects.Count > 0)
                {
                    (GpuObject target, byte[] model) = objects[Below(objects.Count)];
                    using BufferHandle handle = GpuRig.Export(target);
                    RegionContract contract = RegionContract.Buffer + Below(3);
                    errno = across.Domain.TryRegisterBuffer(
                        handle, default, target.Size, new VirtAddr(0x7000_0000), RdmaEnd.All, contract, out region);
                    Add(errno, region, model, 0);
                }

                break;
        }
    }

    private void Add(Errno errno, MemoryRegion? region, byte[] model, int start)
    {
        Note($"registered: {errno}");
        if (errno.IsOk)
        {
            regions.Add((region!, model, start));
            Note($"{region!.Contract}");
        }
    }

    private void Deregister()
    {
        if (regions.Count > 0)
        {
            int index = Below(regions.Count);
            regions[index].Region.Dispose();
            regions.RemoveAt(index);
        }
    }

    private void DeregisterAll()
    {
        regions.ForEach(static each => each.Region.Dispose());
        regions.Clear();
    }

    private void MoveByRdma()
    {
        if (regions.Count > 0)
        {
            int length = 1 + Below(512);
            RunWork(random.OneIn(2) ? WorkOpcode.Write : WorkOpcode.Read, length, 1);
        }
    }

    private void AddByRdma()
    {
        if (regions.Count > 0)
        {
            RunWork(WorkOpcode.FetchAdd, sizeof(ulong), sizeof(ulong));
        }
    }

    // Work between a place of the near process and one of a region of the far one; neither passes the end of a page.
    private void RunWork(WorkOpcode opcode, int length, int alignment)
    {
        if (local.State != RegionState.Valid)
        {
            local.Dispose(); // the NIC was reset
            local = near.Register(processes[0].Array);
        }

        if (nearPair.State != QueuePairState.Ready || acrossPair.State != QueuePairState.Ready)
        {
            Connect();
        }

        (MemoryRegion region, byte[] model, int start) = regions[Below(regions.Count)];
        int from = (Below(ArrayPages) * Page) + Below(Page - length);
        int to = (Below((int)region.Range.Length.Value / Page) * Page) + (Below((Page - length) / alignment) * alignment);
        ulong added = random.NextBits();
        bool isValid = region.State == RegionState.Valid;
        var work = new WorkRequest(1, opcode, new LocalPiece(processes[0].At(from), new ByteCount((ulong)length), local.Key))
        {
            RemoteAddress = region.Range.Start.AddChecked(new ByteCount((ulong)to)), RemoteKey = region.Key, CompareOrAdd = added,
        };
        nearPair.TryPost(work).ThrowIfError();
        WorkCompletion done = near.Completed();
        while (done.QueuePair != nearPair.Number)
        {
            done = near.Completed(); // flushed work of a queue pair that was
        }

        Note($"{opcode} {region.Contract}: {done.Status}");
        bool isProcess = region.Contract is RegionContract.Pinned or RegionContract.OnDemand;
        Assert.That(done.Status == WorkStatus.Success, isValid && isProcess ? Is.True : isValid ? Is.True.Or.False : Is.False, $"{region}");
        if (done.Status == WorkStatus.Success)
        {
            Span<byte> here = processes[0].Model.AsSpan(from, length);
            Span<byte> there = model.AsSpan(start + to, length);
            if (opcode == WorkOpcode.Write)
            {
                here.CopyTo(there);
                return;
            }

            there.CopyTo(here);
            if (opcode == WorkOpcode.FetchAdd)
            {
                BitConverter.TryWriteBytes(there, unchecked(BitConverter.ToUInt64(there) + added)); // wraps, as the device's adder does
            }
        }
    }

    private void StartCard()
    {
        Pci.TryAttach(PciAddress.Parse("0000:04:00.0"), DmaMask.Bits64, default, domain: null, out DmaDevice? view).ThrowIfError();
        Nic.TryCreate(Machine, view!, new NicOptions { Queue = new QueueOptions { RingEntries = 8 } }, out Nic? made).ThrowIfError();
        card = made!;
        for (int flow = 0; flow < 2; flow++)
        {
            using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            senders[flow] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            senders[flow].Connect(listener.LocalEndPoint!);
            card.TryOpen(listener.Accept(), out NicSocket? socket).ThrowIfError();
            receivers[flow] = socket!;
            card.Steering.TryAdd(new Devices.Nics.Flows.FlowRule { SourcePort = socket!.Flow.Source.Port, Queue = flow }, out _).ThrowIfError();
        }
    }

    private void StopCard()
    {
        Unbind();
        card.Remove();
        Assert.That(receivers[0].Land().End, Is.EqualTo(LandingEnd.DeviceGone), "a socket of a card that is gone");
        card.Dispose();
        foreach (Socket sender in senders)
        {
            sender.Dispose();
        }
    }

    // Flow 1 lands in the GPU's memory where that is bound; where the memory went, the rest lands after it was unbound.
    private void Receive()
    {
        int flow = Below(2);
        byte[] sent = Bytes(1 + Below(20_000));
        Assert.That(senders[flow].Send(sent), Is.EqualTo(sent.Length));
        var got = new List<byte>();
        byte[] bytes = new byte[9000];
        var controls = new ControlBuffer(64);
        while (got.Count < sent.Length)
        {
            Landing end = receivers[flow].LandAsync(new ByteCount((ulong)Math.Min(7000, sent.Length - got.Count))).AsTask().GetAwaiter().GetResult();
            bool hasRead = false;
            while (receivers[flow].TryReceive(bytes, ReceiveFlags.DeviceMemory, controls, out ByteCount part).IsOk && !part.IsZero)
            {
                hasRead = true;
                Take(receivers[flow], controls, bytes.AsSpan(0, (int)part.Value), got);
            }

            if (end.End != LandingEnd.Done)
            {
                Note($"landing: {end.End}");
                Assert.That(hasRead || control is not null, Is.True, $"{end.End} of a queue of plain memory");
                Unbind();
            }
        }

        Assert.That(got.ToArray().AsSpan().SequenceEqual(sent), Is.True, $"flow {flow}");
        Note(control is not null && flow == 1 ? "received in device memory" : "received");
    }

    private void Take(NicSocket socket, ControlBuffer controls, ReadOnlySpan<byte> linear, List<byte> got)
    {
        int at = 0;
        foreach (ReceiveControl message in controls.Messages)
        {
            int size = (int)message.Size.Value;
            got.AddRange(message.Kind == ReceiveControlKind.Linear ? linear.Slice(at, size) : NicRig.ReadBuffer(landingHandle!, [message]));
            at += size;
            if (message.Kind == ReceiveControlKind.DeviceMemory)
            {
                socket.TryReturnTokens([new TokenRange(message.Token, 1)], out _).ThrowIfError();
            }
        }

        if (controls.Messages.Count == 0)
        {
            got.AddRange(linear);
        }

        controls.Clear();
    }

    private void Bind()
    {
        if (control is not null)
        {
            return;
        }

        var request = new GpuObjectRequest(new PageCount(32).ToBytes()) { Preferred = GpuPlaces.VisibleVram };
        gpu.TryCreateObject(request, out landing).ThrowIfError();
        landingHandle = GpuRig.Export(landing!);
        control = card.OpenControl();
        Errno errno = control.TryBind(landingHandle, [QueueId.Receive(1)], out _);
        Note($"bound: {errno}");
        if (!errno.IsOk)
        {
            Unbind();
        }
    }

    private void Unbind()
    {
        control?.Dispose();
        landingHandle?.Dispose();
        landing?.Dispose();
        (control, landingHandle, landing) = (null, null, null);
    }
}
