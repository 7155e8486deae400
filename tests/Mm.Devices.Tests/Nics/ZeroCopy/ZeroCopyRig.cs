using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Iommufd;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Nics.ZeroCopy;

namespace Mm.Devices.Tests.Nics.ZeroCopy;

/// <summary>A card with a process that registers an area of its memory.</summary>
internal sealed class ZeroCopyRig : IDisposable
{
    private readonly List<ZeroCopyQueue> queues = [];

    public ZeroCopyRig(NicOptions? options = null)
    {
        Card = new NicRig(options ?? new NicOptions { Queue = new QueueOptions { RingEntries = 4 } });
        Card.Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Space = space!;
    }

    public NicRig Card { get; }

    public AddressSpace Space { get; }

    public PinAccount Account { get; } = new(new PageCount(64));

    /// <summary>Maps memory of the process.</summary>
    public VirtRange Map(ulong pages)
    {
        var request = new AreaRequest(new PageCount(pages).ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
        Space.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    public ZeroCopyOptions Options(VirtRange area) => new()
    {
        Queue = 0,
        RefillEntries = 8,
        Space = Space,
        Account = Account,
        Start = area.Start,
        Length = area.Length,
    };

    public ZeroCopyQueue Register(ZeroCopyOptions options)
    {
        Card.Nic.TryRegister(options, out ZeroCopyQueue? queue).ThrowIfError();
        queues.Add(queue!);
        return queue!;
    }

    /// <summary>A connection whose flow goes to the first queue.</summary>
    public (Socket Sender, NicSocket Receiver) Connect()
    {
        (Socket sender, NicSocket receiver) = Card.Connect();
        Card.Steer(receiver, 0);
        return (sender, receiver);
    }

    /// <summary>What the process reads where completions say.</summary>
    public byte[] Read(VirtRange area, IEnumerable<ReceiveCompletion> completions) => [.. completions.SelectMany(completion =>
    {
        byte[] part = new byte[completion.Size.Value];
        Assert.That(Space.Read(area.Start.AddChecked(completion.Offset), part), Is.EqualTo(FaultResult.Done));
        return part;
    })];

    public static List<ReceiveCompletion> Take(CompletionBuffer buffer)
    {
        var taken = new List<ReceiveCompletion>();
        while (buffer.TryTake(out ReceiveCompletion completion))
        {
            taken.Add(completion);
        }

        return taken;
    }

    public void Dispose()
    {
        queues.ForEach(queue => queue.Dispose());
        Card.Nic.Dispose();
        Assert.That(queues.Select(queue => (queue.IsFreed, queue.FreeBuffers == queue.Buffers, queue.IsMapped)), Is.All.EqualTo((true, true, false)));
        Assert.That(Account.Locked, Is.EqualTo(PageCount.Zero));
        Card.Machine.Spaces.Dispose(); // with the page of zeros
        Card.Dispose();
    }
}
