using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

internal sealed class OnDemandBackingTests
{
    private const RegionAccess OnDemand = RdmaEnd.All | RegionAccess.OnDemand;

    [Test]
    public void Region_Registered_HasNothingAndPinsNothing()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(8);
        MemoryRegion region = rig.Near.Register(range, OnDemand);

        Assert.That((region.Contract, region.TableLoads, rig.Near.Context.PinnedPages), Is.EqualTo((RegionContract.OnDemand, 0L, PageCount.Zero)));
        Assert.That(rig.Near.Space.CountResident(RssKind.Anonymous), Is.EqualTo(PageCount.Zero), "nothing was faulted in");
        region.Dispose();
    }

    [Test]
    public void Access_FaultsInWhatItTouches_AndSeesTheProcesssChanges([Values] bool isTranslated)
    {
        using var rig = new RdmaRig(isTranslated: isTranslated);
        VirtRange range = rig.Across.Map(8, 1);
        MemoryRegion remote = rig.Across.Register(range, OnDemand);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(2, 9));
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote, offset: 4096), Is.EqualTo(WorkStatus.Success));
        Assert.That(((OnDemandBacking)remote.Backing).Resident, Is.EqualTo(new PageCount(2)));

        // The process drops its pages: what was resident for the NIC is gone with them.
        rig.Across.Space.TryDropPages(range.Start, range.Length).ThrowIfError();
        Assert.That(((OnDemandBacking)remote.Backing).Resident, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Near.Do(WorkOpcode.Read, RdmaEnd.Piece(local), remote, offset: 4096), Is.EqualTo(WorkStatus.Success));
        Assert.That(rig.Near.Read(local.Range).AsSpan().ContainsAnyExcept((byte)0), Is.False, "zeros, as the process sees");
    }

    [Test]
    public void Fork_AfterTheNicWrote_TheNicFollowsTheParent()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Across.Map(1, 1);
        MemoryRegion remote = rig.Across.Register(range, OnDemand);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 9));
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote), Is.EqualTo(WorkStatus.Success));
        rig.Across.Space.TryFork(out AddressSpace? child).ThrowIfError();
        rig.Near.Write(local.Range, 10);
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote), Is.EqualTo(WorkStatus.Success));

        byte[] ofChild = new byte[1];
        child!.Read(range.Start, ofChild);
        Assert.That((rig.Across.Read(range)[0], ofChild[0]), Is.EqualTo(((byte)10, (byte)9)));
        child.Dispose();
    }

    [Test]
    public void Access_WithoutAreaOrRight_IsAnError()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Across.Map(2, 1);
        MemoryRegion remote = rig.Across.Register(range, OnDemand);
        rig.Across.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError();
        Assert.That(remote.Backing.TryAccess(default, new byte[1], isWrite: true), Is.EqualTo(Errno.EPERM));
        Assert.That(remote.Backing.TryAccess(default, new byte[1], isWrite: false), Is.EqualTo(Errno.Ok));
        rig.Across.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        Assert.That(remote.Backing.TryAccess(default, new byte[1], isWrite: false), Is.EqualTo(Errno.EFAULT));
        rig.Across.Space.Dispose();
        Assert.That(remote.Backing.TryAccess(default, new byte[1], isWrite: false), Is.EqualTo(Errno.EINVAL), "the process has ended");
    }

    [Test]
    public void Register_RangeThatWraps_IsEoverflow()
    {
        using var rig = new RdmaRig();

        Assert.That(
            rig.Near.Domain.TryRegister(VirtAddr.MaxValue, new ByteCount(2), OnDemand, out _), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(rig.Near.Domain.TryRegister(new VirtAddr(0x1000), default, OnDemand, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Fault_EachAllocationFailing_LeavesNothingAndSucceedsInTheEnd([Values] bool isTranslated)
    {
        using var rig = new RdmaRig(isTranslated: isTranslated);
        foreach (FaultPoint point in (FaultPoint[])[FaultPoint.Slab, FaultPoint.PageAlloc])
        {
            Errno errno = Errno.ENOMEM;
            for (ulong nth = 1; !errno.IsOk && nth < 50; nth++)
            {
                VirtRange range = rig.Near.Map(3);
                MemoryRegion region = rig.Near.Register(range, OnDemand);
                rig.Machine.Faults.FailNth(point, nth);
                errno = region.Backing.TryAccess(default, new byte[3 * 4096], isWrite: true);
                rig.Machine.Faults.Clear();
                region.Dispose();
                rig.Near.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
                Assert.That(rig.Near.Nic.View.LiveMappings, Is.Zero, $"{point} {nth}");
            }

            Assert.That(errno, Is.EqualTo(Errno.Ok));
        }
    }

    [Test]
    public void Implicit_AnyAddress_IsReachedByChildrenThatComeAndGo()
    {
        using var rig = new RdmaRig();
        VirtRange first = rig.Across.Map(2, 1);
        VirtRange second = rig.Across.Map(1024, 2);
        rig.Across.Domain.TryRegisterAll(RdmaEnd.All, out MemoryRegion? region).ThrowIfError();
        var all = (ImplicitBacking)region!.Backing;
        byte[] bytes = new byte[second.Length.Value];
        all.TryAccess(new ByteCount(second.Start.Value), bytes, isWrite: false).ThrowIfError();
        Assert.That(bytes.AsSpan().ContainsAnyExcept((byte)2), Is.False);
        int children = all.ChildCount;
        Assert.That(children, Is.InRange(2, 4), "4 MiB in children of 2 MiB");

        rig.Across.Space.TryUnmap(second.Start, second.Length).ThrowIfError();
        Assert.That(all.ChildCount, Is.LessThan(children), "what is empty is given up");
        all.TryAccess(new ByteCount(first.Start.Value), bytes.AsSpan(0, 8192), isWrite: true).ThrowIfError();
        Assert.That(rig.Across.Read(first)[0], Is.EqualTo(2));
        Assert.That(all.TryAccess(new ByteCount(second.Start.Value), new byte[1], isWrite: false), Is.EqualTo(Errno.EFAULT));
        region.Dispose();
        Assert.That(all.TryAccess(new ByteCount(first.Start.Value), new byte[1], isWrite: false), Is.EqualTo(Errno.EINVAL));
    }
}
