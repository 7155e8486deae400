using Mm.Core;
using Mm.Devices.Nics.PagePools;
using static Mm.Devices.Tests.Nics.PagePools.PoolRig;

namespace Mm.Devices.Tests.Nics.PagePools;

internal sealed class NetmemTests
{
    /// <summary>T1: a word of memory without pages gives no page, one of a page no memory without pages.</summary>
    [Test]
    public void Word_OfEitherKind_GivesThatKindAlone()
    {
        using var rig = new PoolRig();
        var provider = new FakeProvider(4);
        var memory = new NetIov(provider, new DmaAddr(0x1000), new ByteCount(4096));
        var word = new Netmem(memory);
        Assert.That((word.IsNetIov, word.TryGetPage(out _), word.TryGetNetIov(out NetIov? same)), Is.EqualTo((true, false, true)));
        Assert.That(same, Is.SameAs(memory));

        PoolLease lease = Take(rig.Create(new PagePoolOptions()));
        Assert.That((lease.Memory.IsNetIov, lease.Memory.TryGetNetIov(out _)), Is.EqualTo((false, false)));
        Assert.That(lease.Memory.TryGetPage(out PoolPage? page), Is.True);
        Assert.That(new Netmem(page!), Is.EqualTo(lease.Memory));
        lease.Dispose();
        Assert.That((default(Netmem).IsEmpty, default(Netmem).TryGetPage(out _)), Is.EqualTo((true, false)));
    }

    [Test]
    public void Provider_OfAPool_GivesAndGetsItsBuffersBack()
    {
        using var rig = new PoolRig();
        var provider = new FakeProvider(3);
        PagePool pool = rig.Create(rig.Mapped with { Provider = provider, Napi = null, RingSize = 1 });
        PoolLease[] leases = [.. Enumerable.Range(0, 3).Select(_ => Take(pool))];
        Assert.That(pool.TryAllocate(out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That((pool.InFlight, provider.Free, rig.Device.LiveMappings), Is.EqualTo((3, 0, 0)));

        leases[0].Dispose();
        leases[1].Dispose();
        Assert.That((pool.Statistics.Ring, pool.Statistics.RingFull, provider.Free), Is.EqualTo((1L, 1L, 1)));
        pool.Dispose();
        Assert.That((provider.Free, provider.HasEnded), Is.EqualTo((2, false)), "one is out");
        leases[2].Dispose();
        Assert.That((provider.Free, provider.HasEnded, pool.IsFreed), Is.EqualTo((3, true, true)));
    }

    [Test]
    public void Provider_WithoutMappingAndSyncing_IsRefused()
    {
        using var rig = new PoolRig();
        var provider = new FakeProvider(1);

        Assert.That(PagePool.TryCreate(rig.Machine, new PagePoolOptions { Provider = provider }, out _), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(
            PagePool.TryCreate(rig.Machine, rig.Mapped with { Provider = provider, Order = 1 }, out _), Is.EqualTo(Errno.E2BIG));
    }

    [Test]
    public void Napi_EnteredTwice_Throws()
    {
        var napi = new NapiContext();
        using NapiContext.Scope scope = napi.Enter();

        Assert.That((napi.IsCurrent, napi.IsEntered), Is.EqualTo((true, true)));
        Assert.That(() => napi.Enter().Dispose(), Throws.InvalidOperationException);
    }

    [Test]
    public void Allocate_ThatWaitsForTheEnd_FindsThePoolDestroyed()
    {
        using var rig = new PoolRig();
        var provider = new FakeProvider(3);
        PagePool pool = rig.Create(rig.Mapped with { Napi = null, Provider = provider });
        PoolLease[] both = [Take(pool), Take(pool)];
        PagePool.PutMany(both);
        Take(pool).Dispose(); // the other one is in the cache
        bool isOver = false;
        var taker = new Thread(() => isOver = !CanTake(pool));
        provider.OnRelease = () =>
        {
            provider.OnRelease = null;
            taker.Start();
            Waiting.UntilWaits(taker);
        };
        pool.Dispose();
        taker.Join();
        Assert.That(isOver, Is.True);
    }

    private static bool CanTake(PagePool pool)
    {
        try
        {
            return pool.TryAllocate(out _).IsOk;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    private sealed class FakeProvider : IMemoryProvider
    {
        private readonly Stack<NetIov> free = new();

        public FakeProvider(int count)
        {
            for (int i = 0; i < count; i++)
            {
                free.Push(new NetIov(this, new DmaAddr((ulong)i * 4096), new ByteCount(4096)));
            }
        }

        public int Free => free.Count;

        public bool HasEnded { get; private set; }

        public Errno TryBegin(PagePool pool) => pool.Options.Order == 0 ? Errno.Ok : Errno.E2BIG;

        public Errno TryAllocate(PagePool pool, out NetIov? buffer) => free.TryPop(out buffer) ? Errno.Ok : Errno.ENOMEM;

        public Action? OnRelease { get; set; }

        public void Release(PagePool pool, NetIov buffer)
        {
            OnRelease?.Invoke();
            free.Push(buffer);
        }

        public void End(PagePool pool) => HasEnded = true;
    }
}
