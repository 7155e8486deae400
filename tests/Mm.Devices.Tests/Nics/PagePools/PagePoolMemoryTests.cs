using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Tests.Nics.PagePools;

internal sealed class PagePoolMemoryTests
{
    [Test]
    public void Rent_OfSizes_GivesWholeBuffersAndFragments()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions { Order = 1 });
        using var memory = new PagePoolMemory(pool);
        using IMemoryOwner<byte> whole = memory.Rent();
        using IMemoryOwner<byte> first = memory.Rent(100);
        using IMemoryOwner<byte> second = memory.Rent(4096);

        Assert.That((whole.Memory.Length, first.Memory.Length, second.Memory.Length), Is.EqualTo((8192, 104, 4096)));
        first.Memory.Span.Fill(1);
        second.Memory.Span.Fill(2);
        Assert.That((first.Memory.Span[103], second.Memory.Span[0]), Is.EqualTo(((byte)1, (byte)2)));
        Assert.That(pool.InFlight, Is.EqualTo(2), "two fragments of one buffer");
        Assert.That(() => memory.Rent(8193), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => memory.Rent(-2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        whole.Dispose();
    }

    [Test]
    public void Rent_WithoutMemory_Throws()
    {
        using var rig = new PoolRig();
        using var memory = new PagePoolMemory(rig.Create(new PagePoolOptions()));
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);

        Assert.That(() => memory.Rent(), Throws.InstanceOf<InsufficientMemoryException>());
        Assert.That(() => new PagePoolMemory(rig.Create(rig.Mapped)), Throws.ArgumentException, "it has a NAPI context");
    }

    [Test]
    public void Memory_OfAPageThatLeft_IsClosed()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions());
        using var memory = new PagePoolMemory(pool);
        IMemoryOwner<byte> owner = memory.Rent();
        Memory<byte> kept = owner.Memory;
        owner.Dispose();
        pool.Dispose();

        Assert.That(() => kept.Span.Length, Throws.InstanceOf<ObjectDisposedException>());
    }

    /// <summary>Bytes from a socket go straight into pages of the pool, by a pipe that rents from it.</summary>
    [Test]
    [CancelAfter(30_000)]
    public async Task Pipe_OverTheMemory_ReceivesFromASocket(CancellationToken cancellation)
    {
        const int Total = 1 << 20;
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { Napi = null });
        using var memory = new PagePoolMemory(pool);
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var sent = new byte[Total];
        new MachineRandom(7).Fill(sent);
        Task sending = SendAsync((IPEndPoint)listener.LocalEndpoint, sent, cancellation);
        var pipe = new Pipe(new PipeOptions(memory, minimumSegmentSize: 4096));
        Task receiving = ReceiveAsync(listener, pipe.Writer, cancellation);

        int at = 0;
        while (true)
        {
            ReadResult result = await pipe.Reader.ReadAsync(cancellation);
            foreach (ReadOnlyMemory<byte> part in result.Buffer)
            {
                Assert.That(part.Span.SequenceEqual(sent.AsSpan(at, part.Length)), Is.True, $"at {at}");
                at += part.Length;
            }

            pipe.Reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                break;
            }
        }

        await Task.WhenAll(sending, receiving);
        await pipe.Reader.CompleteAsync();
        listener.Dispose();
        Assert.That(at, Is.EqualTo(Total));
        Assert.That(pool.Statistics.Ring, Is.Positive, "pages were used again");
        Assert.That(pool.InFlight, Is.LessThan(Total / 4096), "and fewer than the bytes would fill");
    }

    private static async Task SendAsync(IPEndPoint to, byte[] bytes, CancellationToken cancellation)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(to, cancellation);
        await client.GetStream().WriteAsync(bytes, cancellation);
    }

    private static async Task ReceiveAsync(TcpListener listener, PipeWriter writer, CancellationToken cancellation)
    {
        using Socket socket = await listener.AcceptSocketAsync(cancellation);
        while (true)
        {
            int received = await socket.ReceiveAsync(writer.GetMemory(4096), cancellation);
            if (received == 0)
            {
                break;
            }

            writer.Advance(received);
            _ = await writer.FlushAsync(cancellation);
        }

        await writer.CompleteAsync();
    }
}
