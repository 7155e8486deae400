using Mm.Core;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.PciRig;
using Shapes = Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Pools;

public sealed class P2pMemPoolsTests
{
    // The lines of a recorded kernel, in order, on a BAR of 32 MiB.
    [Test]
    public void TryAddResource_AsRecorded_AnswersAsTheKernel()
    {
        using var rig = new PciRig();
        (ulong Size, ulong Offset, Errno Errno)[] lines =
        [
            (0x1000, 0, Errno.EINVAL),
            (0x1000, 0x1000, Errno.EINVAL),
            (0x10_0000, 0, Errno.EINVAL),
            (0x20_0000, 0x10_0000, Errno.EINVAL),
            (0x20_0000, 0x20_0000, Errno.Ok),
            (0, 0x40_0000, Errno.Ok),
            (0x80_0000, 0xc0_0000, Errno.ENOMEM),
            (0x20_0000, 0x100_0000_0000, Errno.EINVAL),
            (0x20_0000, 0x20_0000, Errno.ENOMEM),
        ];
        Assert.That(lines.Select(line => Add(rig, line.Size, line.Offset)), Is.EqualTo(lines.Select(line => line.Errno)));
        Assert.That(rig.System.Pools.TryFind(Gpu, out P2pMemPool? pool), Is.True);
        Assert.That(pool!.Size, Is.EqualTo(ByteCount.FromMiB(30)));
    }

    [TestCase(32UL << 20, 0UL)]
    [TestCase(0UL, 33UL << 20)]
    [TestCase(4UL << 20, 30UL << 20)]
    [TestCase(ulong.MaxValue, 2UL << 20)]
    public void TryAddResource_PartBeyondTheBar_IsEINVALAndMakesNoPool(ulong offset, ulong size)
    {
        using var rig = new PciRig();
        Assert.That(Add(rig, size, offset), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.System.Pools.TryFind(Gpu, out _), Is.False);
    }

    [Test]
    public void TryAddResource_AroundAnother_IsEEXIST()
    {
        using var rig = new PciRig();
        Assert.That(Add(rig, 0x20_0000, 0x40_0000), Is.EqualTo(Errno.Ok));
        Assert.That(Add(rig, 0x80_0000, 0), Is.EqualTo(Errno.EEXIST));
    }

    [Test]
    public void TryAddResource_NoDescriptors_IsENOMEM()
    {
        using var rig = new PciRig();
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(Add(rig, 0, 0), Is.EqualTo(Errno.ENOMEM));
        Assert.That(rig.System.Pagemaps.Collect(), Is.Empty);
    }

    [Test]
    public void TryAddResource_NoSuchFunctionOrBar_IsRefused()
    {
        using var rig = new PciRig();
        Assert.That(rig.System.Pools.TryAddResource(PciAddress.Parse("09:00.0"), 0, default, default, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.System.Pools.TryAddResource(Gpu, 1, default, default, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.System.Pools.TryAddResource(Gpu, 2, default, default, out _), Is.EqualTo(Errno.ENXIO));
    }

    [Test]
    public void Owners_PartWithDescriptors_IsAnotherOwnerOfTheSameProvider()
    {
        using var rig = new PciRig();
        Assert.That(Add(rig, 0x20_0000, 0x40_0000), Is.EqualTo(Errno.Ok));
        using var list = rig.List(GpuBar);
        Assert.That(list.Count, Is.EqualTo(3), "never merged across the page map's borders");
        foreach (var run in list.OwnerRuns)
        {
            Assert.That(run.Owner.Provider, Is.SameAs(rig.Provider(Gpu)));
        }
    }

    [Test] // M6
    public void HasP2pMem_DriverOwnsItsBar_IsFalseAndItStaysAProvider()
    {
        using var rig = new PciRig();
        BarProvider provider = rig.Provider(Gpu);
        Assert.That((rig.System.Pools.HasP2pMem(Gpu), provider.IsLive), Is.EqualTo((false, true)));
        Assert.That(rig.System.Pools.TryFindNearest([Nic], out P2pMemPool? none), Is.EqualTo(Errno.ENODEV));
        Assert.That(none, Is.Null);
    }

    [Test]
    public void HasP2pMem_Unpublished_IsFalse()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig, Nvme, publish: false);
        Assert.That(rig.System.Pools.HasP2pMem(Nvme), Is.False);
        pool.IsPublished = true;
        Assert.That(rig.System.Pools.HasP2pMem(Nvme), Is.True);
    }

    [Test]
    public void TryFindNearest_TwoPools_IsTheNearer()
    {
        using var rig = new PciRig();
        _ = Pool(rig, Gpu, publish: true);
        P2pMemPool nvme = Pool(rig, Nvme, publish: true);
        Assert.That(rig.System.Pools.TryFindNearest([Nvme], out P2pMemPool? found), Is.EqualTo(Errno.Ok));
        Assert.That(found, Is.SameAs(nvme), "0 hops to itself, 2 to its neighbour");
    }

    [Test]
    public void TryFindNearest_SameDistance_DependsOnTheSeedAlone()
    {
        PciPlace[] first = [.. Enumerable.Range(0, 32).Select(seed => Draw((ulong)seed))];
        PciPlace[] second = [.. Enumerable.Range(0, 32).Select(seed => Draw((ulong)seed))];
        Assert.That(second, Is.EqualTo(first));
        Assert.That(first.Distinct().Count(), Is.EqualTo(2), "both are drawn");
    }

    [Test]
    public void TryFindNearest_OneClientOutOfReachOrNone_IsENODEV()
    {
        using var rig = new PciRig(Shapes.Intel);
        _ = Pool(rig, Nvme, publish: true);
        Assert.That(rig.System.Pools.TryFindNearest([Nic, Far], out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.System.Pools.TryFindNearest([], out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.System.Pools.TryFindNearest([Nic], out _), Is.EqualTo(Errno.Ok));
    }

    private static PciPlace Draw(ulong seed)
    {
        using var rig = new PciRig(seed: seed);
        _ = Pool(rig, Gpu, publish: true);
        _ = Pool(rig, Nvme, publish: true);
        rig.System.Pools.TryFindNearest([Nic], out P2pMemPool? found).ThrowIfError();
        return found!.Device.Place;
    }

    private static Errno Add(PciRig rig, ulong size, ulong offset) =>
        rig.System.Pools.TryAddResource(Gpu, 0, new ByteCount(size), new ByteCount(offset), out _);

    private static P2pMemPool Pool(PciRig rig, PciPlace place, bool publish)
    {
        rig.System.Pools.TryAddResource(place, 0, default, default, out _).ThrowIfError();
        _ = rig.System.Pools.TryFind(place, out P2pMemPool? pool);
        pool!.IsPublished = publish;
        return pool;
    }
}
