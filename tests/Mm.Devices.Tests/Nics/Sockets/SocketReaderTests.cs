using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Tests.Nics.Sockets;

internal sealed class SocketReaderTests
{
    [Test]
    [CancelAfter(30_000)]
    public async Task Reader_OfAFlow_GivesItsBytesWhereTheyLanded(CancellationToken cancellation)
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 1 << 20);
        rig.Start(sender, sent, ends: true);
        int at = 0;
        bool isCompleted = false;
        while (!isCompleted)
        {
            ReadResult result = await receiver.Reader.ReadAsync(cancellation);
            foreach (ReadOnlyMemory<byte> part in result.Buffer)
            {
                Assert.That(part.Span.SequenceEqual(sent.AsSpan(at, part.Length)), Is.True, $"at {at}");
                at += part.Length;
            }

            isCompleted = result.IsCompleted;
            receiver.Reader.AdvanceTo(result.Buffer.End);
        }

        await receiver.Reader.CompleteAsync();
        Assert.That((at, receiver.Available.Value), Is.EqualTo((1 << 20, 0UL)));
        Assert.That(rig.Nic.Queues[0].Pool!.Statistics.Ring, Is.Positive, "pages were used again");
    }

    /// <summary>Lines, as protocols are parsed: what is examined and not consumed stays, and more is waited for.</summary>
    [Test]
    [CancelAfter(30_000)]
    public async Task Reader_ThatExaminesMoreThanItConsumes_GetsMore(CancellationToken cancellation)
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        PipeReader reader = receiver.Reader;
        sender.Send("ab"u8);
        ReadResult result = await reader.ReadAsync(cancellation);
        Assert.That(result.Buffer.ToArray(), Is.EqualTo("ab"u8.ToArray()));
        reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        Assert.That(reader.TryRead(out _), Is.False);

        ValueTask<ReadResult> reading = reader.ReadAsync(cancellation);
        sender.Send("c\nd"u8);
        result = await reading;
        SequencePosition line = result.Buffer.PositionOf((byte)'\n')!.Value;
        Assert.That(result.Buffer.Slice(0, line).ToArray(), Is.EqualTo("abc"u8.ToArray()));
        reader.AdvanceTo(result.Buffer.GetPosition(1, line));
        Assert.That(reader.TryRead(out result), Is.True, "what was not examined is there at once");
        Assert.That(result.Buffer.ToArray(), Is.EqualTo("d"u8.ToArray()));
        reader.AdvanceTo(result.Buffer.End);
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Reader_BeforeDeviceMemory_GivesWhatIsReadableThenRefuses(CancellationToken cancellation)
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 0);
        NicRig.Send(sender, receiver, new byte[] { 1, 2 });
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(rig.HeapBuffer(4), [QueueId.Receive(0)], out _).ThrowIfError();
        NicRig.Send(sender, receiver, new byte[] { 3 });
        ReadResult result = await receiver.Reader.ReadAsync(cancellation);
        Assert.That(result.Buffer.ToArray(), Is.EqualTo(new byte[] { 1, 2 }));
        receiver.Reader.AdvanceTo(result.Buffer.End);

        Assert.That(
            async () => await receiver.Reader.ReadAsync(cancellation),
            Throws.InstanceOf<ErrnoException>().With.Property(nameof(ErrnoException.Errno)).EqualTo(Errno.EFAULT));
        Assert.That(receiver.Available.Value, Is.EqualTo(1));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Reader_Cancelled_SaysSoOnce(CancellationToken cancellation)
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        ValueTask<ReadResult> reading = receiver.Reader.ReadAsync(cancellation);
        receiver.Reader.CancelPendingRead();
        Assert.That((await reading).IsCanceled, Is.True);
        sender.Send(new byte[] { 1 });
        Assert.That((await receiver.Reader.ReadAsync(cancellation)).IsCanceled, Is.False);

        rig.Nic.Remove();
        receiver.Reader.AdvanceTo(default);
        NicRig.Receive(receiver, 1);
        Assert.That(
            async () => await receiver.Reader.ReadAsync(cancellation),
            Throws.InstanceOf<ErrnoException>().With.Property(nameof(ErrnoException.Errno)).EqualTo(Errno.ENODEV));
        await receiver.Reader.CompleteAsync();
        Assert.That(() => receiver.Reader.TryRead(out _), Throws.InstanceOf<ObjectDisposedException>());
    }
}
