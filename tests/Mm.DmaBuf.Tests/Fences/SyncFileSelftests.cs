using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

/// <summary>The tests of tools/testing/selftests/sync (v6.12), under their names.</summary>
internal sealed class SyncFileSelftests
{
    private readonly FenceRig rig = new();

    [Test]
    public void alloc_timeline()
    {
        using FenceTimeline timeline = Timeline();
        Assert.That(timeline.Value, Is.Zero);
    }

    [Test]
    public void alloc_fence()
    {
        using FenceTimeline timeline = Timeline();
        using SyncFile file = At(timeline, 1);
        Assert.That(file.IsClosed, Is.False);
    }

    [Test]
    public void alloc_fence_negative()
    {
        FenceTimeline timeline = Timeline();
        timeline.Dispose();
        Assert.That(timeline.TryCreateFence(1, out DmaFence? fence), Is.EqualTo(Errno.EBADF));
        Assert.That(fence, Is.Null);
    }

    [Test]
    public void fence_one_timeline_wait()
    {
        using FenceTimeline timeline = Timeline();
        using SyncFile file = At(timeline, 5);
        Assert.That(file.Wait(0), Is.EqualTo(Errno.ETIME));
        timeline.TryAdvance(1).ThrowIfError();
        Assert.That(file.Wait(0), Is.EqualTo(Errno.ETIME));
        timeline.TryAdvance(4).ThrowIfError();
        Assert.That(file.Wait(0), Is.EqualTo(Errno.Ok));
        timeline.TryAdvance(10).ThrowIfError();
        Assert.That(file.Wait(0), Is.EqualTo(Errno.Ok), "a fence stays signaled");
    }

    [Test]
    public void fence_one_timeline_merge()
    {
        using FenceTimeline timeline = Timeline();
        using SyncFile first = At(timeline, 1);
        using SyncFile second = At(timeline, 2);
        using SyncFile third = At(timeline, 3);
        using SyncFile pair = Merge(second, first);
        using SyncFile all = Merge(pair, third);
        Assert.That(Count(all, FenceStatus.Pending), Is.EqualTo(1), "of one timeline the latest counts");
        timeline.TryAdvance(1).ThrowIfError();
        Assert.That(Count(first, FenceStatus.Signaled), Is.EqualTo(1));
        Assert.That(Count(all, FenceStatus.Pending), Is.EqualTo(1));
        timeline.TryAdvance(2).ThrowIfError();
        Assert.That(Count(all, FenceStatus.Signaled), Is.EqualTo(1));
    }

    [Test]
    public void fence_merge_same_fence()
    {
        using FenceTimeline timeline = Timeline();
        using SyncFile file = At(timeline, 5);
        using SyncFile merged = Merge(file, file);
        Assert.That(Count(merged, FenceStatus.Signaled), Is.Zero);
        timeline.TryAdvance(5).ThrowIfError();
        Assert.That(Count(merged, FenceStatus.Signaled), Is.EqualTo(1));
    }

    [Test]
    public void fence_multi_timeline_wait()
    {
        using FenceTimeline a = Timeline();
        using FenceTimeline b = Timeline();
        using FenceTimeline c = Timeline();
        using SyncFile atA = At(a, 5);
        using SyncFile atB = At(b, 5);
        using SyncFile atC = At(c, 5);
        using SyncFile pair = Merge(atA, atB);
        using SyncFile all = Merge(atC, pair);
        Assert.That(Count(all, FenceStatus.Pending), Is.EqualTo(3));
        Assert.That(all.Wait(0), Is.EqualTo(Errno.ETIME));
        a.TryAdvance(5).ThrowIfError();
        Assert.That((Count(all, FenceStatus.Pending), Count(all, FenceStatus.Signaled)), Is.EqualTo((2, 1)));
        b.TryAdvance(5).ThrowIfError();
        Assert.That((Count(all, FenceStatus.Pending), Count(all, FenceStatus.Signaled)), Is.EqualTo((1, 2)));
        c.TryAdvance(5).ThrowIfError();
        Assert.That((Count(all, FenceStatus.Pending), Count(all, FenceStatus.Signaled)), Is.EqualTo((0, 3)));
        Assert.That(all.Wait(0), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void stress_two_threads_shared_timeline()
    {
        const uint Rounds = 500;
        using FenceTimeline timeline = Timeline();
        uint counter = 0;
        int outOfTurn = 0;

        void TakeTurns(uint me)
        {
            for (uint round = 0; round < Rounds; round++)
            {
                uint turn = (round * 2) + me;
                using SyncFile file = At(timeline, turn);
                file.Wait(ulong.MaxValue).ThrowIfError();
                Interlocked.Add(ref outOfTurn, Interlocked.Increment(ref counter) == turn + 1 ? 0 : 1);
                timeline.TryAdvance(1).ThrowIfError();
            }
        }

        OnThreads(() => TakeTurns(0), () => TakeTurns(1));
        Assert.That((counter, outOfTurn), Is.EqualTo((2 * Rounds, 0)));
    }

    [Test]
    public void consumer_stress_multi_producer_single_consumer()
    {
        const uint Rounds = 200;
        FenceTimeline[] producers = [.. Enumerable.Range(0, 4).Select(_ => Timeline())];
        using FenceTimeline consumer = Timeline();
        uint produced = 0;
        int wrong = 0;

        void Produce(FenceTimeline own)
        {
            for (uint round = 0; round < Rounds; round++)
            {
                using SyncFile turn = At(consumer, round);
                turn.Wait(ulong.MaxValue).ThrowIfError();
                Interlocked.Increment(ref produced);
                own.TryAdvance(1).ThrowIfError();
            }
        }

        void Consume()
        {
            for (uint round = 1; round <= Rounds; round++)
            {
                SyncFile all = At(producers[0], round);
                all = producers[1..].Aggregate(all, (merged, own) => Merge(merged, At(own, round)));
                all.Wait(ulong.MaxValue).ThrowIfError();
                Interlocked.Add(ref wrong, Volatile.Read(ref produced) == round * 4 ? 0 : 1);
                consumer.TryAdvance(1).ThrowIfError();
            }
        }

        OnThreads([Consume, .. producers.Select<FenceTimeline, Action>(own => () => Produce(own))]);
        Assert.That((produced, wrong), Is.EqualTo((Rounds * 4, 0)));
    }

    [Test]
    public void merge_stress_random_merge()
    {
        var random = new Random(20);
        FenceTimeline[] timelines = [.. Enumerable.Range(0, 32).Select(_ => Timeline())];
        var latest = new Dictionary<int, uint>();
        SyncFile merged = At(timelines[0], 1);
        latest[0] = 1;
        for (int round = 0; round < 4_000; round++)
        {
            int which = random.Next(timelines.Length);
            uint at = (uint)random.Next(1, int.MaxValue);
            merged = Merge(merged, At(timelines[which], at));
            latest[which] = Math.Max(latest.GetValueOrDefault(which), at);
        }

        Assert.That(Count(merged, FenceStatus.Pending), Is.EqualTo(latest.Count));
        foreach ((int which, uint at) in latest)
        {
            Assert.That(merged.Wait(0), Is.EqualTo(Errno.ETIME));
            timelines[which].TryAdvance(at).ThrowIfError();
        }

        Assert.That(merged.Wait(0), Is.EqualTo(Errno.Ok));
    }

    private static SyncFile At(FenceTimeline timeline, uint value)
    {
        timeline.TryCreateFence(value, out DmaFence? fence).ThrowIfError();
        return new SyncFile(fence!);
    }

    private static SyncFile Merge(SyncFile first, SyncFile second)
    {
        first.TryMerge(second, "merged", flags: 0, out SyncFile? merged).ThrowIfError();
        return merged!;
    }

    private static int Count(SyncFile file, FenceStatus status)
    {
        var slots = new SyncFenceInfo[64];
        file.TryGetInfo(slots, flags: 0, out SyncFileInfo info).ThrowIfError();
        return slots.Take(info.FenceCount).Count(slot => slot.Status == status);
    }

    private static void OnThreads(params Action[] bodies)
    {
        Exception? thrown = null;
        Thread[] threads = [.. bodies.Select(body => new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception exception)
            {
                thrown = exception;
            }
        }) { IsBackground = true })];
        Array.ForEach(threads, thread => thread.Start());
        Assert.That(threads.All(thread => thread.Join(TimeSpan.FromSeconds(60))), Is.True, "all threads must end");
        Assert.That(thrown, Is.Null);
    }

    private FenceTimeline Timeline() => new(rig.Contexts, "timeline");
}
