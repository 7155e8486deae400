using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Tests.Gpus;
using Mm.Devices.Tests.Nics;
using Mm.DmaBuf.Buffers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Soak;

/// <content>A card with real connections.</content>
internal sealed partial class SoakMachine
{
    private readonly Socket[] senders = new Socket[2];
    private readonly NicSocket[] receivers = new NicSocket[2];
    private Nic card = null!;
    private NicControl? control;
    private GpuObject? landing;
    private BufferHandle? landingHandle;

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

    private void Receive() => Receive(Below(2));

    // Flow 1 lands in the GPU's memory where that is bound; where the memory went, the rest lands after it was unbound.
    private void Receive(int flow)
    {
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
        Note(control is not null && flow == 1 ? $"received by a binding: {landing!.Place}" : "received");
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

        // Static importers take no peer's memory, so that a static binding lands in RAM; the other follows the buffer.
        BindingContract contract = random.OneIn(3) ? BindingContract.Static : BindingContract.Revocable;
        var request = new GpuObjectRequest(new PageCount(32).ToBytes()) { Preferred = GpuPlaces.VisibleVram };
        gpu.TryCreateObject(request, out landing).ThrowIfError();
        landingHandle = GpuRig.Export(landing!);
        control = card.OpenControl();
        Errno errno = control.TryBind(landingHandle, [QueueId.Receive(1)], out _, contract);
        Note($"bound {contract}: {errno}, {landing!.Place}");
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
