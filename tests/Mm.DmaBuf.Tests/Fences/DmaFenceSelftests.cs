using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

/// <summary>The tests of drivers/dma-buf/st-dma-fence.c (v6.12), under their names.</summary>
internal sealed class DmaFenceSelftests
{
    private readonly FenceRig rig = new();

    [Test]
    public void sanitycheck()
    {
        DmaFence fence = rig.Fence();
        fence.EnableSignaling();
        Assert.That(fence.Signal(), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void test_signaling()
    {
        DmaFence fence = rig.Fence();
        fence.EnableSignaling();
        Assert.That(fence.IsSignaled, Is.False, "signaled at its making");
        Assert.That(fence.Signal(), Is.EqualTo(Errno.Ok));
        Assert.That(fence.IsSignaled, Is.True);
        Assert.That(fence.Signal(), Is.EqualTo(Errno.EINVAL), "signals once");
    }

    [Test]
    public void test_add_callback()
    {
        DmaFence fence = rig.Fence();
        bool seen = false;
        Assert.That(fence.TryAddCallback(_ => seen = true, out _), Is.EqualTo(Errno.Ok));
        fence.Signal().ThrowIfError();
        Assert.That(seen, Is.True);
    }

    [Test]
    public void test_late_add_callback()
    {
        DmaFence fence = rig.Fence();
        bool seen = false;
        fence.Signal().ThrowIfError();
        Assert.That(fence.TryAddCallback(_ => seen = true, out FenceCallback? callback), Is.EqualTo(Errno.ENOENT));
        Assert.That(callback, Is.Null);
        _ = fence.Signal();
        Assert.That(seen, Is.False, "a callback that was refused must not run");
    }

    [Test]
    public void test_rm_callback()
    {
        DmaFence fence = rig.Fence();
        bool seen = false;
        fence.TryAddCallback(_ => seen = true, out FenceCallback? callback).ThrowIfError();
        Assert.That(fence.RemoveCallback(callback!), Is.True);
        fence.Signal().ThrowIfError();
        Assert.That(seen, Is.False);
    }

    [Test]
    public void test_late_rm_callback()
    {
        DmaFence fence = rig.Fence();
        bool seen = false;
        fence.TryAddCallback(_ => seen = true, out FenceCallback? callback).ThrowIfError();
        fence.Signal().ThrowIfError();
        Assert.That(seen, Is.True);
        Assert.That(fence.RemoveCallback(callback!), Is.False);
    }

    [Test]
    public void test_status()
    {
        DmaFence fence = rig.Fence();
        fence.EnableSignaling();
        Assert.That(fence.GetStatus().Number, Is.Zero);
        fence.Signal().ThrowIfError();
        Assert.That(fence.GetStatus().Number, Is.EqualTo(1));
    }

    [Test]
    public void test_error()
    {
        DmaFence fence = rig.Fence();
        fence.EnableSignaling();
        fence.SetError(Errno.EIO);
        Assert.That(fence.GetStatus().Number, Is.Zero, "an error shows when it signals");
        fence.Signal().ThrowIfError();
        Assert.That(fence.GetStatus().Number, Is.EqualTo(-5));
    }

    [Test]
    public void test_wait()
    {
        DmaFence fence = rig.Fence();
        fence.EnableSignaling();
        Assert.That(fence.Wait(0, out _), Is.EqualTo(Errno.ETIME));
        fence.Signal().ThrowIfError();
        Assert.That(fence.Wait(0, out _), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void test_wait_timeout()
    {
        var points = new SteppingPoints();
        var stepping = new FenceRig(points);
        points.Clock = stepping.Clock;
        DmaFence fence = stepping.Fence();
        Assert.That(fence.Wait(1, out _), Is.EqualTo(Errno.ETIME));
        points.Tick = now => _ = now == 3 ? fence.Signal() : Errno.Ok;
        Assert.That(fence.Wait(10, out ulong remaining), Is.EqualTo(Errno.Ok));
        Assert.That(remaining, Is.EqualTo(8), "waited from 1 to 3");
    }

    [Test]
    public void test_stub()
    {
        DmaFence[] stubs = [.. Enumerable.Range(0, 64).Select(_ => rig.Contexts.Stub)];
        Assert.That(stubs, Has.All.Property(nameof(DmaFence.IsSignaled)).True);
        Assert.That(stubs, Has.All.SameAs(stubs[0]));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void race_signal_callback(bool signalsBeforeTheOthers)
    {
        // Two threads exchange fences: each signals the other's and looks whether its own callback came.
        const int Rounds = 2_000;
        var fences = new DmaFence?[2];
        int missed = 0;

        void Compete(int me)
        {
            for (int round = 0; round < Rounds; round++)
            {
                DmaFence mine = rig.Fence();
                Volatile.Write(ref fences[me], mine);
                DmaFence? other = Volatile.Read(ref fences[1 - me]);
                if (signalsBeforeTheOthers && other is not null)
                {
                    _ = other.Signal();
                }

                bool seen = false;
                bool added = mine.TryAddCallback(_ => Volatile.Write(ref seen, true), out FenceCallback? callback).IsOk;
                if (!signalsBeforeTheOthers && other is not null)
                {
                    _ = other.Signal();
                }

                _ = mine.Signal();
                bool removed = added && mine.RemoveCallback(callback!);
                Interlocked.Add(ref missed, added && (removed || !Volatile.Read(ref seen)) ? 1 : 0);
            }
        }

        Parallel.Invoke(() => Compete(0), () => Compete(1));
        Assert.That(missed, Is.Zero, "callbacks that neither ran nor were refused");
    }
}
