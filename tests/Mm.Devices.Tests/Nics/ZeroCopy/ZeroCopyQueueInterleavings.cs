using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Nics.ZeroCopy;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Nics.ZeroCopy;

/// <summary>Museum 4: two who return one buffer, the ring's reader and the scrub, in every order of their steps.</summary>
internal sealed class ZeroCopyQueueInterleavings
{
    [Test]
    public void Returners_OfOneBuffer_BringItBackOnce()
    {
        Exploration result = Explore(hasFault: false);
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(3));
    }

    /// <summary>The fault put back: look, then subtract. Both returners win, and the buffer is in a free list twice.</summary>
    [Test]
    public void Returners_ThatLookThenSubtract_BringItBackTwice() =>
        Assert.That(Explore(hasFault: true).Failure, Is.Not.Null);

    private static Exploration Explore(bool hasFault) => new Explorer().Explore(points =>
    {
        var area = new ZeroCopyRig();
        ZeroCopyQueue queue = area.Register(area.Options(area.Map(5)));
        (Socket sender, NicSocket receiver) = area.Connect();
        NicRig.Send(sender, receiver, new byte[] { 1 });
        var completions = new CompletionBuffer(1);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out _).ThrowIfError();
        completions.TryTake(out ReceiveCompletion completion);
        queue.Ring.TryPush(new RefillEntry(completion.Place));
        queue.Area.Points = points;
        queue.Area.LooksThenSubtracts = hasFault;
        PagePool pool = area.Card.Nic.Queues[0].Pool!;
        return new Scenario()
            .Actor("refill", () => Refill(pool, queue))
            .Actor("scrub", queue.Scrub)
            .Finally("the buffer came back once", () => CameBackOnce(area, queue, points));
    });

    private static void Refill(PagePool pool, ZeroCopyQueue queue)
    {
        using NapiContext.Scope napi = pool.Options.Napi!.Enter();
        queue.Collect(pool);
    }

    private static bool CameBackOnce(ZeroCopyRig area, ZeroCopyQueue queue, IYieldPoints points)
    {
        GC.KeepAlive(points);
        queue.Area.Points = null;
        area.Dispose(); // counts every buffer
        return queue.UserBuffers.Value == 0;
    }
}
