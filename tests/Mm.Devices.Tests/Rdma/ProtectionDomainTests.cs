using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Devices.Tests.Rdma;

/// <summary>Registration under each contract: what it holds, and each refusal with its cause.</summary>
internal sealed class ProtectionDomainTests
{
    [Test]
    public void Register_Pages_PinsAndChargesThemUntilDeregistered()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(4, 1);
        MemoryRegion region = rig.Near.Register(new VirtRange(range.Start.AddChecked(new ByteCount(10)), new ByteCount(8192)));

        Assert.That((region.State, region.Contract, region.TableLoads), Is.EqualTo((RegionState.Valid, RegionContract.Pinned, 1L)));
        Assert.That(rig.Near.Context.PinnedPages, Is.EqualTo(new PageCount(3)), "two pages' bytes lie in three");
        Assert.That(rig.Near.Ledger().Single(static entry => entry.Kind == HoldingKind.Pin).Count, Is.EqualTo(3UL));
        region.Dispose();
        region.Dispose();
        Assert.That((rig.Near.Context.PinnedPages, region.State, rig.Near.Nic.RegionCount), Is.EqualTo((PageCount.Zero, RegionState.Deregistered, 0)));
    }

    [Test]
    public void Register_PinnedPages_StayTheProcesssOwnAfterFork()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Across.Map(1, 1);
        MemoryRegion remote = rig.Across.Register(range);
        rig.Across.Space.TryFork(out AddressSpace? child).ThrowIfError();
        rig.Across.Write(range, 2);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 9));

        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote), Is.EqualTo(WorkStatus.Success));
        Assert.That(rig.Across.Read(range)[0], Is.EqualTo(9), "what the NIC writes is what the process sees");
        child!.Dispose();
    }

    // The order is that of ib_umem_get.
    [Test]
    public void Register_EachRefusalOfIbUmemGet_HasItsCause()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(2, 1);
        Assert.That(Try(rig.Near, VirtAddr.MaxValue, 4096), Is.EqualTo(Errno.EINVAL), "the sum wraps");
        Assert.That(Try(rig.Near, new VirtAddr(ulong.MaxValue - 8000), 7000), Is.EqualTo(Errno.EINVAL), "the last page's end wraps");
        Assert.That(Try(rig.Near, range.Start, 0), Is.EqualTo(Errno.EINVAL), "no pages");
        Assert.That(Try(rig.Near, VirtAddr.Zero, (1UL << 44) + 4096), Is.EqualTo(Errno.EINVAL), "more than 32 bits of pages");
        Assert.That(Try(rig.Near, new VirtAddr(0x1000), 4096), Is.EqualTo(Errno.EFAULT), "no area");
        Assert.That(Try(rig.Near, range.Start, 4096, RegionAccess.RemoteWrite), Is.EqualTo(Errno.EINVAL), "remote without local");
        Assert.That(Try(rig.Near, range.Start, 4096, (RegionAccess)16), Is.EqualTo(Errno.EINVAL), "unknown");

        RdmaEnd none = rig.Open(RdmaRig.FarPlace, memlockPages: 0);
        VirtRange other = none.Map(1, 1);
        Assert.That(Try(none, other.Start, 4096), Is.EqualTo(Errno.EPERM), "nothing may be locked");
    }

    [Test]
    public void Register_MoreThanMemlock_IsEnomemUnlessAllowed()
    {
        using var rig = new RdmaRig(memlockPages: 3);
        VirtRange range = rig.Near.Map(4, 1);
        MemoryRegion first = rig.Near.Register(new VirtRange(range.Start, new ByteCount(8192)));

        Assert.That(Try(rig.Near, range.Start, 8192), Is.EqualTo(Errno.ENOMEM), "each region's pages count, the same ones too");
        Assert.That(rig.Near.Context.PinnedPages, Is.EqualTo(new PageCount(2)), "as before");
        first.Dispose();
        Assert.That(Try(rig.Near, range.Start, 12_288), Is.EqualTo(Errno.Ok));

        RdmaEnd root = rig.Open(RdmaRig.FarPlace, memlockPages: 0, mayLockAll: true);
        Assert.That(Try(root, root.Map(2, 1).Start, 8192), Is.EqualTo(Errno.Ok));
    }

    // R3.
    [TestCase(false)]
    [TestCase(true)]
    public void Register_EachAllocationFailing_LeavesPinsAndAccountAsBefore(bool isTranslated)
    {
        using var rig = new RdmaRig(isTranslated: isTranslated);
        foreach (FaultPoint point in (FaultPoint[])[FaultPoint.Slab, FaultPoint.PageAlloc])
        {
            Errno errno = Errno.ENOMEM;
            for (ulong nth = 1; !errno.IsOk && nth < 100; nth++)
            {
                VirtRange range = rig.Near.Map(6); // untouched: pinning faults pages in
                rig.Machine.Faults.FailNth(point, nth);
                errno = rig.Near.Domain.TryRegister(range.Start, range.Length, RdmaEnd.All, out MemoryRegion? region);
                rig.Machine.Faults.Clear();
                region?.Dispose();
                Assert.That(rig.Near.Context.PinnedPages, Is.EqualTo(PageCount.Zero), $"{point} {nth}");
                Assert.That(rig.Near.Nic.View.LiveMappings, Is.Zero, $"{point} {nth}");
                rig.Near.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
                rig.Machine.Validate();
            }

            Assert.That(errno, Is.EqualTo(Errno.Ok), "the last round succeeded");
        }

        Assert.That(rig.Machine.Allocator.Statistics.InUse.Value, Is.LessThan(64UL));
    }

    [Test]
    public void Register_HoleInTheRange_UnpinsWhatWasPinned()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(600, 1);
        rig.Near.Space.TryUnmap(range.Start.AddChecked(new ByteCount(590 * 4096)), new ByteCount(4096)).ThrowIfError();

        Assert.That(Try(rig.Near, range.Start, range.Length.Value), Is.EqualTo(Errno.EFAULT));
        Assert.That((rig.Near.Context.PinnedPages, rig.Near.Nic.View.LiveMappings), Is.EqualTo((PageCount.Zero, 0)));
    }

    // Neither takes memory in proportion to what is asked for: the first hole, or the size of the table, refuses.
    [Test]
    public void Register_MoreThanThereIs_IsRefusedAsLinuxDoes()
    {
        using var rig = new RdmaRig();
        RdmaEnd root = rig.Open(RdmaRig.FarPlace, memlockPages: 0, mayLockAll: true);
        VirtRange range = root.Map(2, 1);

        Assert.That(Try(root, range.Start, 1UL << 43), Is.EqualTo(Errno.EFAULT), "pinned up to the first hole");
        Assert.That(root.Context.PinnedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(
            Try(root, range.Start, 1UL << 43, RdmaEnd.All | RegionAccess.OnDemand), Is.EqualTo(Errno.ENOMEM), "kvcalloc takes 2 GiB at most");
    }

    [Test]
    public void RegisterBuffer_EachRefusal_HasItsCause()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Moving(out _);
        Assert.That(Window(rig.Near, handle, 0, 5 * 4096), Is.EqualTo(Errno.EINVAL), "past the buffer");
        Assert.That(Window(rig.Near, handle, ulong.MaxValue, 2), Is.EqualTo(Errno.EINVAL), "the sum wraps");
        Assert.That(Window(rig.Near, handle, 0, 0), Is.EqualTo(Errno.EINVAL), "no bytes");
        Assert.That(Window(rig.Near, handle, 0, 4096, address: ulong.MaxValue), Is.EqualTo(Errno.EINVAL), "addresses that wrap");
        Assert.That(Window(rig.Near, handle, 4, 100), Is.EqualTo(Errno.EINVAL), "not as far into their pages");
        Assert.That(Window(rig.Near, handle, 4, 100, address: 0x1004), Is.EqualTo(Errno.Ok));
        Assert.That(
            () => rig.Near.Domain.TryRegisterBuffer(handle, default, new ByteCount(1), default, default, RegionContract.Pinned, out _),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
        using BufferHandle bar = rig.Revocable(out BarBuffer exporter, at: 16);
        exporter.TryRevoke().ThrowIfError();
        Assert.That(Window(rig.Near, bar, 0, 4096), Is.EqualTo(Errno.ENODEV), "taken away");
    }

    [Test]
    public void Destroy_WhileItIsUsed_IsEbusy()
    {
        using var rig = new RdmaRig();
        rig.Near.Context.TryCreateDomain(out ProtectionDomain? domain).ThrowIfError();
        VirtRange range = rig.Near.Map(1, 1);
        domain!.TryRegister(range.Start, range.Length, RegionAccess.None, out MemoryRegion? region).ThrowIfError();

        Assert.That(domain.TryDestroy(), Is.EqualTo(Errno.EBUSY));
        region!.Dispose();
        Assert.That((domain.TryDestroy(), domain.TryDestroy()), Is.EqualTo((Errno.Ok, Errno.ENOENT)));
        Assert.That(rig.Near.Domain.TryDestroy(), Is.EqualTo(Errno.EBUSY), "it has a queue pair");
    }

    [Test]
    public void Calls_AfterTheDomainWasDestroyed_AreEinval()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Moving(out _);
        rig.Near.Context.TryCreateDomain(out ProtectionDomain? domain).ThrowIfError();
        domain!.TryDestroy().ThrowIfError();
        VirtRange range = rig.Near.Map(1, 1);

        Assert.That(domain.TryRegister(range.Start, range.Length, RegionAccess.None, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(domain.TryRegisterAll(RegionAccess.None, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(domain.TryCreateQueuePair(rig.Near.Sends, rig.Near.Receives, 1, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That((rig.Near.Nic.RegionCount, rig.Near.Context.PinnedPages), Is.EqualTo((0, PageCount.Zero)));
    }

    [Test]
    public void Calls_AfterTheContextIsClosed_AreEnodev()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Near.Map(1, 1);
        MemoryRegion region = rig.Near.Register(range);
        rig.Near.Context.Dispose();
        rig.Near.Context.Dispose();

        Assert.That(region.State, Is.EqualTo(RegionState.Deregistered));
        Assert.That(Try(rig.Near, range.Start, 4096), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Near.Context.TryCreateDomain(out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Near.Domain.TryRegisterAll(RegionAccess.None, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Near.Domain.TryCreateQueuePair(rig.Near.Sends, rig.Near.Receives, 1, out _), Is.EqualTo(Errno.ENODEV));
    }

    private static Errno Try(RdmaEnd end, VirtAddr start, ulong length, RegionAccess access = RdmaEnd.All) =>
        end.Domain.TryRegister(start, new ByteCount(length), access, out _);

    private static Errno Window(RdmaEnd end, BufferHandle handle, ulong offset, ulong length, ulong address = 0x1000) =>
        end.Domain.TryRegisterBuffer(
            handle, new ByteCount(offset), new ByteCount(length), new VirtAddr(address), RdmaEnd.All, RegionContract.Buffer, out _);
}
