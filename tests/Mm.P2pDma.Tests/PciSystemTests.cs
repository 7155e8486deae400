using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests;

public sealed class PciSystemTests
{
    [Test]
    public void TryRemove_DeviceInUse_EndsEverythingThatRestsOnIt()
    {
        using var rig = new PciRig();
        DmaDevice nic = rig.Attach(Nic);
        DmaDevice gpu = rig.Attach(Gpu);
        rig.System.Pools.TryAddResource(Gpu, 0, default, default, out PeerPagemap? pagemap).ThrowIfError();
        _ = rig.System.Pools.TryFind(Gpu, out P2pMemPool? pool);
        pool!.TryAllocate(new ByteCount(0x1000), out P2pMemory? memory).ThrowIfError();
        nic.TryMap(rig.List(memory!.Range), DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();

        rig.System.TryRemove(Gpu, out _).ThrowIfError();

        Assert.That((mapping!.IsValid, gpu.IsAttached, pagemap!.IsLive), Is.EqualTo((false, false, false)));
        Assert.That(rig.System.Pools.TryFind(Gpu, out _), Is.False);
        Assert.That(rig.System.ProviderMap.Count, Is.Zero);
        mapping.Dispose();
        memory.Dispose();
        Assert.That(pagemap.IsDead, Is.True);
    }

    [Test]
    public void TryAdd_AfterRemoval_IsUsableAgain()
    {
        using var rig = new PciRig();
        _ = rig.Provider(Gpu);
        rig.System.TryRemove(Gpu, out _).ThrowIfError();
        Assert.That(rig.System.Bars.TryGet(Gpu, 0, out _), Is.EqualTo(Errno.ENODEV));
        rig.System.TryAdd(GpuFunction, out _).ThrowIfError();
        Assert.That(rig.Provider(Gpu).MapKindFor(rig.Id(Nic)), Is.EqualTo(P2pMapKind.BusAddress));
    }

    [Test]
    public void TryRemove_NoSuchFunction_IsENODEVAndChangesNothing()
    {
        using var rig = new PciRig();
        BarProvider provider = rig.Provider(Gpu);
        ValidityToken token = provider.Validity;
        Assert.That(rig.System.TryRemove(PciAddress.Parse("09:00.0"), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((token.IsValid, rig.System.Devices.Count), Is.EqualTo((true, 9)));
    }

    [Test]
    public void Owners_EveryKindOfAddress_IsTold()
    {
        using var rig = new PciRig();
        Assert.That(rig.System.Owners.FindOwner(Ram.Start, out _), Is.SameAs(RangeOwner.Ram));
        Assert.That(rig.System.Owners.FindOwner(new PhysAddr(1UL << 45), out _), Is.Null);
        Assert.That(rig.System.Owners.FindOwner(GpuBar.Start, out _)!.Kind, Is.EqualTo(RangeOwnerKind.DeviceWindow));
        _ = rig.Provider(Gpu);
        Assert.That(rig.System.Owners.FindOwner(GpuBar.Start, out _)!.Kind, Is.EqualTo(RangeOwnerKind.Provider));
        rig.System.Pools.TryAddResource(Gpu, 0, default, default, out _).ThrowIfError();
        Assert.That(rig.System.Owners.FindOwner(GpuBar.Start, out _)!.Kind, Is.EqualTo(RangeOwnerKind.PeerPagemap));
    }

    [Test]
    public void Owners_WindowAdded_IsAnotherVersion()
    {
        using var rig = new PciRig();
        long before = rig.System.Owners.Version;
        rig.Machine.TryAddDeviceWindow("late", Range(0x30_0000_0000, 0x1000), out _).ThrowIfError();
        Assert.That(rig.System.Owners.Version, Is.GreaterThan(before));
    }

    [Test]
    public void Rules_LeftOut_AreThoseOfTheMachinesProfile()
    {
        using Machine older = Machine.CreateBuilder().Build();
        using Machine newer = Machine.CreateBuilder().WithProfile(LinuxProfile.V619).Build();
        Topology topology = new TopologyBuilder().Build();

        Assert.That(new PciSystem(older, topology).Router.Rules, Is.SameAs(P2pRules.Linux612));
        Assert.That(new PciSystem(newer, topology).Router.Rules, Is.SameAs(P2pRules.Linux619));
        Assert.That(new PciSystem(newer, topology, P2pRules.Latest).Router.Rules, Is.SameAs(P2pRules.Latest));
    }
}
