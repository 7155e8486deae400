using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Devices.Nics.PagePools;
using static Mm.Devices.Tests.Nics.PagePools.PoolRig;

namespace Mm.Devices.Tests.Nics.PagePools;

internal sealed class PagePoolTests
{
    /// <summary>S-1: what comes back in the NAPI context is what is given out next, from the cache.</summary>
    [Test]
    public void SecondRound_InTheNapiContext_ComesFromTheCache()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped);
        using (rig.Napi.Enter())
        {
            PoolLease[] first = [.. Enumerable.Range(0, 64).Select(_ => Take(pool))];
            HashSet<Pfn> pages = [.. first.Select(lease => PageOf(lease).Page)];
            PagePool.PutMany(first);
            PoolLease[] second = [.. Enumerable.Range(0, 64).Select(_ => Take(pool))];
            Assert.That(second.Select(lease => PageOf(lease).Page), Is.EquivalentTo(pages));
            PagePool.PutMany(second);
        }

        PagePoolStatistics statistics = pool.Statistics;
        Assert.That((statistics.Slow, statistics.Fast, statistics.Cached), Is.EqualTo((1L, 127L, 128L)));
        Assert.That((pool.InFlight, rig.Device.LiveMappings), Is.EqualTo((64, 64)), "they stay the pool's, and mapped");
    }

    [Test]
    public void AllocateMany_AndPutMany_TakeAndReturnEach()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped);
        var leases = new PoolLease[100];
        using (rig.Napi.Enter())
        {
            pool.TryAllocateMany(leases).ThrowIfError();
            Assert.That(leases.Select(static lease => PageOf(lease).Page).Distinct().Count(), Is.EqualTo(100));
            PagePool.PutMany([default, .. leases]);
        }

        Assert.That(pool.Statistics.Cached, Is.EqualTo(100));
        Assert.That(() => PagePool.PutMany(leases), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void AllocateMany_MoreThanThereAre_GivesBackWhatItTook()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions());
        var leases = new PoolLease[4 * PagePool.RefillSize];
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 100, count: 1000);
        Assert.That(pool.TryAllocateMany(leases), Is.EqualTo(Errno.ENOMEM));
        Assert.That(leases, Is.All.Matches(static (PoolLease lease) => lease.IsEmpty));
        pool.Validate();
    }

    [Test]
    public void Lease_Shared_IsBackWithTheLastOfBoth()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions());
        PoolLease first = Take(pool);
        PoolLease second = first.Share();
        first.Dispose();
        Assert.That((pool.Statistics.Ring, second.Memory), Is.EqualTo((0L, first.Memory)));
        second.Dispose();
        Assert.That(pool.Statistics.Ring, Is.EqualTo(1));
        Assert.That(() => second.Share(), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => default(PoolLease).Share(), Throws.InvalidOperationException);
    }

    [Test]
    public void Lease_OfAFragmentThatCameBackBeforeTheEnd_IsOver()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions());
        pool.TryAllocateFragment(new ByteCount(64), out PoolLease lease).ThrowIfError();
        lease.Dispose();
        pool.Dispose();
        Assert.That(lease.Dispose, Throws.InstanceOf<ObjectDisposedException>());
    }

    /// <summary>S-2: a page that somebody else holds is unmapped once, counted, and lives on.</summary>
    [Test]
    public void Put_WithAnotherReference_LetsThePageGo()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped);
        using NapiContext.Scope napi = rig.Napi.Enter();
        PoolLease lease = Take(pool);
        PoolPage page = PageOf(lease);
        page.TryAddReference(out PageRef other).ThrowIfError();
        int before = rig.Device.LiveMappings;

        lease.Dispose();

        Assert.That((pool.Statistics.ReleasedReferenced, page.IsMapped), Is.EqualTo((1L, false)));
        Assert.That(rig.Device.LiveMappings, Is.EqualTo(before - 1));
        Assert.That(rig.Machine.Frames.Describe(other.Page).References, Is.EqualTo(1));
        other.Dispose();
        Assert.That(page.Pool, Is.Null);
        napi.Dispose();
    }

    /// <summary>S-3: with pages in flight mappings go at once, and the pool with the last page.</summary>
    [Test]
    public void Destroy_WithPagesInFlight_UnmapsAtOnceAndLivesUntilTheLast()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { Napi = null });
        PoolLease[] leases = [.. Enumerable.Range(0, 3).Select(_ => Take(pool))];
        pool.Dispose();

        Assert.That((pool.InFlight, rig.Device.LiveMappings, pool.IsFreed), Is.EqualTo((3, 0, false)));
        Assert.That(PageOf(leases[0]).TryGetAddress(out _), Is.False);
        foreach (PoolLease lease in leases)
        {
            Assert.That(pool.IsFreed, Is.False);
            PageOf(lease).SyncForCpu(ByteCount.Zero, new ByteCount(64));
            lease.Dispose();
        }

        Assert.That((pool.IsFreed, pool.InFlight), Is.EqualTo((true, 0)));
        Assert.That(() => pool.TryAllocate(out _), Throws.InstanceOf<ObjectDisposedException>());
    }

    /// <summary>The fault of ee62ce7a1d90, put back: the ledger of the device's mappings shows it.</summary>
    [Test]
    public void Destroy_ThatKeepsMappings_IsCaught()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { Napi = null });
        pool.KeepsMappings = true;
        PoolLease lease = Take(pool);
        pool.Dispose();

        Assert.That(rig.Device.LiveMappings, Is.EqualTo(1), "mapped for a device that may be gone");
        lease.Dispose();
    }

    /// <summary>A page that comes back in the NAPI context of a destroyed pool is let go; dd64b232deb8 put back, it is lost.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Put_ToADestroyedPoolInTheNapiContext_IsLostOnlyWithTheFaultOfThePast(bool keepsNapi)
    {
        var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped);
        pool.KeepsNapi = keepsNapi;
        NapiContext.Scope napi = rig.Napi.Enter();
        PoolLease lease = Take(pool);
        napi.Dispose();
        pool.Dispose();
        napi = rig.Napi.Enter();
        lease.Dispose();
        napi.Dispose();

        Assert.That(pool.IsFreed, Is.Not.EqualTo(keepsNapi));
        Assert.That(() => pool.Validate(), keepsNapi ? Throws.InstanceOf<Core.Checks.MmBugException>() : Throws.Nothing);
        if (!keepsNapi)
        {
            rig.Dispose();
        }
    }

    /// <summary>S-4: the ring is capped silently; syncing wants a device and a length; bytes must come from the device.</summary>
    [Test]
    public void Create_WithOptions_AnswersAsTheKernel()
    {
        using var rig = new PoolRig();
        Assert.That(rig.Create(new PagePoolOptions { RingSize = 20_000 }).RingCapacity, Is.EqualTo(16_384));
        Assert.That(rig.Create(new PagePoolOptions()).RingCapacity, Is.EqualTo(1024));
        Assert.That(TryCreate(rig, new PagePoolOptions { SyncsForDevice = true, MaxLength = new ByteCount(1) }), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryCreate(rig, rig.Mapped with { MaxLength = ByteCount.Zero }), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryCreate(rig, rig.Mapped with { Direction = DmaDirection.ToDevice }), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryCreate(rig, rig.Mapped with { Direction = DmaDirection.Bidirectional }), Is.EqualTo(Errno.Ok));
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(TryCreate(rig, rig.Mapped), Is.EqualTo(Errno.ENOMEM));
    }

    /// <summary>S-5: in flight is held less released, also where the counts pass 2^32.</summary>
    [FsCheck.NUnit.Property(MaxTest = 30)]
    public bool InFlight_WhateverTheCountsAre_IsWhatIsNotReleased(uint start, byte takes)
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions { Order = 1 });
        pool.StartCountingAt(start | 0xffff_fff0);
        PoolLease[] leases = [.. Enumerable.Range(0, takes % 40).Select(_ => Take(pool))];
        bool isRight = pool.InFlight == leases.Length;
        PagePool.PutMany(leases);
        pool.Dispose();
        return isRight && pool.InFlight == 0 && pool.IsFreed;
    }

    [Test]
    public void Put_OutsideTheNapiContext_GoesToTheRingAndRefillsTheCache()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { RingSize = 16 });
        PoolLease[] leases;
        using (rig.Napi.Enter())
        {
            leases = [.. Enumerable.Range(0, 64).Select(_ => Take(pool))];
        }

        PagePool.PutMany(leases);
        PagePoolStatistics statistics = pool.Statistics;
        Assert.That((statistics.Ring, statistics.RingFull), Is.EqualTo((16L, 48L)));
        Assert.That((pool.InFlight, rig.Device.LiveMappings), Is.EqualTo((16, 16)));
        using (rig.Napi.Enter())
        {
            Take(pool).Dispose();
        }

        Assert.That((pool.Statistics.Refill, pool.Statistics.Slow), Is.EqualTo((1L, 1L)));
        Assert.That(() => pool.TryAllocate(out _), Throws.InvalidOperationException, "outside the context");
    }

    [Test]
    public void Cache_ThatIsFull_SendsPagesToTheRing()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped);
        using NapiContext.Scope napi = rig.Napi.Enter();
        PagePool.PutMany([.. Enumerable.Range(0, 192).Select(_ => Take(pool))]);

        PagePoolStatistics statistics = pool.Statistics;
        Assert.That((statistics.Cached, statistics.CacheFull, statistics.Ring), Is.EqualTo((128L, 64L, 64L)));
        Assert.That(() => pool.Dispose(), Throws.InvalidOperationException, "a thread is in the context");
        napi.Dispose();
    }

    [Test]
    public void Refill_WithPagesOfAnotherNode_LetsOneGoAndStops()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions { Node = new NodeId(0) });
        PoolLease[] leases = [.. Enumerable.Range(0, 64).Select(_ => Take(pool))];
        PagePool.PutMany(leases);
        pool.UpdateNode(new NodeId(1));

        PoolLease lease = Take(pool);

        Assert.That((pool.Statistics.Waive, pool.Statistics.Refill, pool.Statistics.Slow), Is.EqualTo((1L, 0L, 2L)));
        Assert.That(rig.Machine.Frames.Describe(PageOf(lease).Page).Node, Is.EqualTo(new NodeId(1)));
        lease.Dispose();
    }

    [Test]
    public void Fragments_OfOnePage_ComeBackWithTheLast()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { Napi = null });
        PoolLease[] parts = [.. Enumerable.Range(0, 4).Select(_ => Fragment(pool, 1500))];

        Assert.That(parts.Select(part => part.Offset.Value), Is.EqualTo((ulong[])[0, 1504, 0, 1504]), "two to a page");
        Assert.That(PageOf(parts[0]).Page, Is.EqualTo(PageOf(parts[1]).Page).And.Not.EqualTo(PageOf(parts[2]).Page));
        parts[0].Dispose();
        Assert.That(pool.Statistics.Ring, Is.Zero);
        parts[1].Dispose();
        Assert.That(pool.Statistics.Ring, Is.EqualTo(1));
        PagePool.PutMany(parts.AsSpan(2));
        Assert.That(pool.Statistics.Ring, Is.EqualTo(1), "the pool still cuts the second page");
        PoolLease next = Fragment(pool, 4096);
        Assert.That(PageOf(next).Page, Is.EqualTo(PageOf(parts[2]).Page), "which nobody uses, and which begins anew");
        next.Dispose();
        Assert.That(() => pool.TryAllocateFragment(ByteCount.Zero, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => pool.TryAllocateFragment(new ByteCount(4097), out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Fragments_AtDestroy_KeepThePageUntilTheLast()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { Napi = null });
        PoolLease part = Fragment(pool, 100);
        pool.Dispose();

        Assert.That((pool.InFlight, rig.Device.LiveMappings), Is.EqualTo((1, 0)));
        part.Dispose();
        Assert.That(pool.IsFreed, Is.True);
    }

    [Test]
    public void Lease_DisposedTwice_Throws()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions());
        PoolLease lease = Take(pool);
        lease.Dispose();

        Assert.That(() => lease.Dispose(), Throws.InstanceOf<ObjectDisposedException>());
        default(PoolLease).Dispose();
    }

    [Test]
    public void Page_OnItsWay_BelongsToTheOneWhoWrites()
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { Napi = null, Offset = new ByteCount(64), MaxLength = new ByteCount(2048) });
        PoolLease lease = Take(pool);
        PoolPage page = PageOf(lease);
        bool isMapped = page.TryGetAddress(out DmaAddr address);
        rig.Device.Port.TryWrite(address.AddChecked(new ByteCount(64)), [1, 2, 3], out _).ThrowIfError();
        page.SyncForCpu(new ByteCount(64), new ByteCount(3));
        using (Core.Native.SpanLease bytes = rig.Machine.Lease(page.Range))
        {
            Assert.That((isMapped, bytes.Bytes[66]), Is.EqualTo((true, (byte)3)));
        }

        lease.Recycle(new ByteCount(3));
        Assert.That((pool.Statistics.Ring, page.IsMapped), Is.EqualTo((1L, true)));
        Assert.That(rig.Machine.Dma.Diagnostics.Count, Is.Zero);
    }

    [TestCase("fail_page_alloc", 0)]
    [TestCase("fail_page_alloc", 2)]
    [TestCase("failslab", 0)]
    [TestCase("failslab", 2)]
    public void Allocate_FailingAnywhere_LosesNothing(string point, int order)
    {
        ulong nth = 0;
        bool hasFailed;
        do
        {
            using var rig = new PoolRig();
            PagePool pool = rig.Create(rig.Mapped with { Napi = null, Order = order });
            rig.Machine.Faults.FailNth(new FaultPoint(point), ++nth);
            Errno errno = pool.TryAllocate(out PoolLease lease);
            hasFailed = rig.Machine.Faults.FailureCount(new FaultPoint(point)) > 0;
            rig.Machine.Faults.Clear();
            Assert.That(errno.IsOk, Is.EqualTo(!hasFailed || nth > 1), "what came before the failure is given out");
            lease.Dispose();
        }
        while (hasFailed);
        Assert.That(nth, Is.GreaterThan(order == 0 ? 60UL : 1UL));
    }

    private static PoolLease Fragment(PagePool pool, ulong bytes)
    {
        pool.TryAllocateFragment(new ByteCount(bytes), out PoolLease lease).ThrowIfError();
        return lease;
    }

    private static Errno TryCreate(PoolRig rig, PagePoolOptions options)
    {
        Errno errno = PagePool.TryCreate(rig.Machine, options, out PagePool? pool);
        pool?.Dispose();
        return errno;
    }
}
