using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Sockets;

namespace Mm.Cli.Tour;

/// <summary>Lets packets land in GPU memory: each process's in its own piece, and nobody else allocates there.</summary>
internal static class LandChapter
{
    private static readonly ByteCount Piece = ByteCount.FromKiB(128);
    private static readonly ByteCount First = ByteCount.FromMiB(32);
    private static readonly ByteCount Second = ByteCount.FromMiB(64);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var wire = new TourWire(stage, queues: 3);
        using NicControl control = wire.Nic.OpenControl();
        bool hasPool = stage.Pci.Pools.TryFind(stage.Gpu.Place, out _);
        stage.Check(!hasPool, "the GPU's driver is the only allocator of its memory: there is no pool");
        stage.Say($"{stage.DirectNic.Place} has three queues: 0 for everybody, 1 bound to P's piece of the GPU, 2 to Q's.");
        DeviceMemoryBinding ofP = wire.Bind(control, First, Piece, queue: 1);
        DeviceMemoryBinding ofQ = wire.Bind(control, Second, Piece, queue: 2);
        (Socket toP, NicSocket p) = wire.Connect(queue: 1);
        (Socket toQ, NicSocket q) = wire.Connect(queue: 2);
        (Socket toAll, NicSocket other) = wire.Connect(queue: null);
        byte[] payload = new byte[50_000];
        stage.Machine.CreateRandom("tour land").Fill(payload);
        TourWire.Send(toP, p, payload.AsSpan(0, 20_000));
        TourWire.Send(toQ, q, payload.AsSpan(20_000, 30_000));
        TourWire.Send(toAll, other, payload.AsSpan(0, 1000));

        stage.Say("");
        Receive(stage, wire, p, ofP, First, payload.AsSpan(0, 20_000), "P");
        Receive(stage, wire, q, ofQ, Second, payload.AsSpan(20_000), "Q");
        byte[] copied = new byte[1000];
        other.TryReceive(copied, ReceiveFlags.None, controls: null, out _).ThrowIfError();
        stage.Check(copied.AsSpan().SequenceEqual(payload.AsSpan(0, 1000)), "a third flow went to plain memory, and is copied as ever");
    }

    private static void Receive(
        TourStage stage, TourWire wire, NicSocket socket, DeviceMemoryBinding binding, ByteCount start, ReadOnlySpan<byte> sent, string who)
    {
        var controls = new ControlBuffer(64);
        byte[] untouched = new byte[sent.Length];
        socket.TryReceive(untouched, ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();
        bool isOwn = controls.Messages.All(message => message.Binding == binding.Id);
        stage.Check(
            isOwn && wire.ReadGpu(start, controls.Messages).AsSpan().SequenceEqual(sent),
            $"{who}: {received} in {controls.Messages.Count} fragments, all in {who}'s piece, and the GPU reads what was sent");
        stage.Check(!untouched.AsSpan().ContainsAnyExcept((byte)0), $"{who}: no byte went through the CPU");
    }
}
