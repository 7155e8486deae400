using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

internal sealed class RegionCacheTests
{
    [Test]
    public void Get_AgainOrAPart_IsAHitOfOneRegistration()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(4, 1);
        using var cache = new RegionCache(rig.Near.Domain, RdmaEnd.All);
        CachedRegion first = Get(cache, range.Start, 4 * 4096);
        CachedRegion second = Get(cache, range.Start.AddChecked(new ByteCount(100)), 5000);

        Assert.That(second.Region, Is.SameAs(first.Region));
        Assert.That((cache.Hits, cache.Misses, cache.Count, rig.Near.Nic.RegionCount), Is.EqualTo((1L, 1L, 1, 1)));
        first.Dispose();
        second.Dispose();
        Assert.That(rig.Near.Nic.RegionCount, Is.EqualTo(1), "kept for the next time");
    }

    [Test]
    public void Invalidation_OfWhatIsCached_EndsExactlyThat()
    {
        using var rig = new RdmaRig();
        VirtRange one = rig.Near.Map(4, 1);
        VirtRange two = rig.Near.Map(4, 2);
        using var cache = new RegionCache(rig.Near.Domain, RdmaEnd.All);
        Get(cache, one.Start, 4096).Dispose();
        Get(cache, two.Start, 4096).Dispose();
        rig.Near.Space.TryUnmap(one.Start.AddChecked(new ByteCount(4096)), new ByteCount(4096)).ThrowIfError();
        Assert.That((cache.Count, cache.Invalidations), Is.EqualTo((2, 0L)), "a neighbour is not meant");

        rig.Near.Space.TryUnmap(one.Start, new ByteCount(4096)).ThrowIfError();
        Assert.That((cache.Count, cache.Invalidations), Is.EqualTo((1, 1L)));
        Get(cache, two.Start, 4096).Dispose();
        Assert.That((cache.Hits, rig.Near.Nic.RegionCount, rig.Near.Context.PinnedPages), Is.EqualTo((1L, 1, PageCount.One)));
    }

    [Test]
    public void MemoryMappedAnewAtTheSamePlace_IsNotTheOldRegion()
    {
        Assert.That(BytesAfterRemap(ignores: false), Is.EqualTo(2));
    }

    [Test]
    public void CacheThatIgnoresInvalidations_IsCaught()
    {
        Assert.That(BytesAfterRemap(ignores: true), Is.EqualTo(1), "the NIC reads pages that are not the process's any more");
    }

    [Test]
    public void Invalidated_WhileUsed_LivesUntilItsUserEnds()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(1, 1);
        using var cache = new RegionCache(rig.Near.Domain, RdmaEnd.All);
        CachedRegion used = Get(cache, range.Start, 4096);
        rig.Near.Space.TryUnmap(range.Start, range.Length).ThrowIfError();

        Assert.That((cache.Count, used.Region.State), Is.EqualTo((0, RegionState.Valid)));
        Assert.That(cache.TryGet(range.Start, new ByteCount(4096), out _), Is.EqualTo(Errno.EFAULT));
        used.Dispose();
        Assert.That((used.Region.State, rig.Near.Context.PinnedPages), Is.EqualTo((RegionState.Deregistered, PageCount.Zero)));
    }

    [Test]
    public void Close_AfterAnInvalidation_LeavesTheUserHisRegion()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(1, 1);
        var cache = new RegionCache(rig.Near.Domain, RdmaEnd.All);
        CachedRegion used = Get(cache, range.Start, 4096);
        rig.Near.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        cache.Dispose();

        Assert.That(used.Region.State, Is.EqualTo(RegionState.Valid), "the cache lets go of it once");
        used.Dispose();
        Assert.That((used.Region.State, rig.Near.Nic.RegionCount), Is.EqualTo((RegionState.Deregistered, 0)));
    }

    [Test]
    public void Get_WhatCannotBe_IsRefused()
    {
        using var rig = new RdmaRig();
        var cache = new RegionCache(rig.Near.Domain, RdmaEnd.All);
        Assert.That(cache.TryGet(new VirtAddr(0x1000), default, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(cache.TryGet(VirtAddr.MaxValue, new ByteCount(2), out _), Is.EqualTo(Errno.EINVAL));
        VirtRange range = rig.Near.Map(1, 1);
        Get(cache, range.Start, 4096).Dispose();
        cache.Dispose();
        Assert.That(cache.TryGet(range.Start, new ByteCount(4096), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Near.Nic.RegionCount, Is.Zero);
    }

    // Memory is registered, unmapped, and mapped anew at the same place with other bytes: what does the NIC read?
    private static byte BytesAfterRemap(bool ignores)
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(1, 1);
        using var cache = new RegionCache(rig.Near.Domain, RdmaEnd.All) { IgnoresInvalidations = ignores };
        Get(cache, range.Start, 4096).Dispose();
        rig.Near.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        var request = new AreaRequest(range.Length, new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite))
        {
            At = range.Start,
            Placement = AreaPlacement.Fixed,
        };
        rig.Near.Space.TryMap(request, out _).ThrowIfError();
        rig.Near.Write(range, 2);
        VirtRange target = rig.Across.Map(1);
        MemoryRegion remote = rig.Across.Register(target);
        using CachedRegion lease = Get(cache, range.Start, 4096);
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(lease.Region), remote), Is.EqualTo(WorkStatus.Success));
        return rig.Across.Read(target)[0];
    }

    private static CachedRegion Get(RegionCache cache, VirtAddr start, ulong length)
    {
        cache.TryGet(start, new ByteCount(length), out CachedRegion? lease).ThrowIfError();
        return lease!;
    }
}
