using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Sockets;

namespace Mm.Cli.Tour;

/// <summary>Receives into memory without pages: the CPU is refused, tokens come back, and the pool drains.</summary>
internal static class UnreadableChapter
{
    private static readonly ByteCount Start = ByteCount.FromMiB(16);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var wire = new TourWire(stage, queues: 1);
        NicControl control = wire.Nic.OpenControl();
        DeviceMemoryBinding binding = wire.Bind(control, Start, ByteCount.FromKiB(128), queue: 0);
        PagePool pool = wire.Nic.Queues[0].Pool!;
        (Socket sender, NicSocket receiver) = wire.Connect(queue: 0);
        byte[] payload = new byte[40_960];
        stage.Machine.CreateRandom("tour unreadable").Fill(payload);
        TourWire.Send(sender, receiver, payload);
        stage.Say($"{receiver.Available} have landed in the GPU. The CPU asks for them:");
        Errno copied = receiver.TryReceive(new byte[100], ReceiveFlags.None, controls: null, out _);
        Errno peeked = receiver.TryReceive(new byte[100], ReceiveFlags.Peek, controls: null, out _);
        stage.Check(copied == Errno.EFAULT && peeked == Errno.EFAULT, $"receive: {copied}, peek: {peeked}, and nothing is consumed");

        var controls = new ControlBuffer(64);
        receiver.TryReceive(new byte[payload.Length], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
        foreach (ReceiveControl message in controls.Messages.Take(2))
        {
            stage.Say($"  {message.Size} at 0x{message.Offset.Value:x} of binding {message.Binding}, token {message.Token}");
        }

        stage.Say($"  … and {controls.Messages.Count - 2} more");
        stage.Check(
            wire.ReadGpu(Start, controls.Messages).AsSpan().SequenceEqual(payload),
            "asked with the flag, it is told where they lie; the GPU reads them there");
        control.Dispose();
        stage.Check(
            binding.IsAttached && pool.InFlight == 10,
            $"the binding's owner is gone; {pool.InFlight} fragments are out, and keep the memory mapped");
        receiver.TryReturnTokens([new TokenRange(1, 10)], out int freed).ThrowIfError();
        stage.Check(
            freed == 10 && pool.IsFreed && pool.InFlight == 0 && binding.IsFreed,
            $"{freed} tokens are given back: the pool has drained to 0, and the buffer is detached");
    }
}
