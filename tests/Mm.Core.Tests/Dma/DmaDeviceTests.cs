using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using static Mm.Core.Tests.Dma.DmaRig;

namespace Mm.Core.Tests.Dma;

public sealed class DmaDeviceTests
{
    private static readonly PhysRange Ram0 = Range(0x200_0000, 0x2000);
    private static readonly PhysRange Ram1 = Range(0x300_0000, 0x1000);
    private static readonly PhysRange Peer = Range(0xd010_0200, 0x200);
    private static readonly PhysRange FarPeer = Range(0x20_0000_0000, 0x1000);

    [Test] // J1
    public void TryMap_RamAndBusAddresses_MergesRamAndFlagsPeers()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig.Translated(), rig.List(Ram0, Peer, Ram1));
        Assert.That(mapping.Segments.ToArray().Select(s => (s.Length.Value, s.IsBusAddress)), Is.EqualTo(
            new[] { (0x2000UL, false), (0x200UL, true), (0x1000UL, false) }));
        Assert.That(mapping.Segments[1].Address, Is.EqualTo(new DmaAddr(0xd010_0200)), "physical plus an offset of 0");
        Assert.That(mapping.Segments[2].Address.Value, Is.EqualTo(mapping.Segments[0].Address.Value + 0x2000), "one window");
        Assert.That(Translate(rig, mapping.Segments[2].Address), Is.EqualTo(Ram1.Start));
    }

    [Test] // J1
    public void TryMap_ProviderWithBusOffset_AddsIt([Values] bool translated)
    {
        using var rig = new DmaRig();
        rig.Far.Kind = P2pMapKind.BusAddress;
        using DmaMapping mapping = Map(translated ? rig.Translated() : rig.Direct(), rig.List(FarPeer));
        Assert.That(
            mapping.Segments.ToArray(),
            Is.EqualTo(new[] { new DmaSegment(new DmaAddr(FarPeer.Start.Value + BusOffset), FarPeer.Length, true) }));
    }

    [Test]
    public void TryMap_ThroughHostBridge_IsTranslatedAsRamIs()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig.Translated(), rig.List(FarPeer));
        Assert.That(mapping.Segments[0].IsBusAddress, Is.False);
        Assert.That(Translate(rig, mapping.Segments[0].Address), Is.EqualTo(FarPeer.Start));
    }

    [Test]
    public void TryMap_ThroughHostBridgeNotTranslated_IsThePhysicalAddress()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig.Direct(), rig.List(FarPeer));
        Assert.That(
            mapping.Segments.ToArray(), Is.EqualTo(new[] { new DmaSegment(new DmaAddr(FarPeer.Start.Value), FarPeer.Length, false) }));
    }

    [Test] // J2
    public void TryMap_OnePeerUnreachable_IsEREMOTEIOAndUndone([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using DmaMapping other = Map(device, rig.List(Ram1));
        rig.Far.Kind = P2pMapKind.NotSupported;
        Refuses(rig, device, rig.List(Ram0, Peer, FarPeer), Errno.EREMOTEIO);
    }

    [Test] // L3
    public void TryMap_ProviderDied_IsEREMOTEIOAndLiveMappingsAreNotValid()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        using DmaMapping live = Map(device, rig.List(Peer));
        Assert.That(live.IsValid, Is.True);
        rig.Near.Die();
        Assert.That(live.IsValid, Is.False);
        Refuses(rig, device, rig.List(Peer), Errno.EREMOTEIO);
    }

    [Test]
    public void TryMap_WindowThatNobodyProvides_IsEREMOTEIO()
    {
        using var rig = new DmaRig();
        var builder = new PhysRangeListBuilder(new UniformOwnerSource(RangeOwner.ForDeviceWindow("registers")));
        builder.TryAppend(Peer).ThrowIfError();
        Refuses(rig, rig.Translated(), builder.Build(), Errno.EREMOTEIO);
    }

    [Test]
    public void TryMap_Mmio_AsksNoProvider()
    {
        using var rig = new DmaRig();
        rig.Near.Kind = P2pMapKind.NotSupported;
        Errno errno = rig.Translated().TryMap(rig.List(Peer), DmaDirection.Bidirectional, DmaAttributes.Mmio, out DmaMapping? mapping);
        using (mapping)
        {
            Assert.That((errno, rig.Near.Questions), Is.EqualTo((Errno.Ok, 0)));
            Assert.That(Translate(rig, mapping!.Segments[0].Address), Is.EqualTo(Peer.Start));
        }
    }

    [Test] // J3
    public void TryMap_SpaceExhausted_IsENOMEM()
    {
        using var rig = new DmaRig();
        IommuDomain tiny = rig.Machine.Dma.CreateDomain("tiny", new DmaAddr(0x1000), new DmaAddr(0x2fff));
        DmaDevice device = rig.Machine.Dma.Attach(rig.Client, DmaMask.Bits64, default, tiny);
        using DmaMapping first = Map(device, rig.List(Ram1));
        string before = tiny.Describe();
        Assert.That(device.TryMap(rig.List(Ram0), DmaDirection.ToDevice, out DmaMapping? none), Is.EqualTo(Errno.ENOMEM));
        Assert.That((none, tiny.Describe()), Is.EqualTo(((DmaMapping?)null, before)));
    }

    [Test] // J3
    public void TryMap_OnlyBusAddresses_TakesNoAddress()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig.Translated(), rig.List(Peer, Range(0xd000_0000, 0x3000)));
        Assert.That((rig.Domain.UsedAddresses, mapping.Window.IsNone), Is.EqualTo((ByteCount.Zero, true)));
    }

    [Test] // J3
    public void TryMap_PaddingPasses32Bits_IsEINVAL()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated(new DmaLimits(new ByteCount(uint.MaxValue), ByteCount.FromGiB(4)));
        Refuses(rig, device, rig.List(Range(0x40_0000_0000, 8UL << 30)), Errno.EINVAL);
    }

    [Test]
    public void TryMap_EmptyList_IsEINVAL()
    {
        using var rig = new DmaRig();
        Refuses(rig, rig.Translated(), rig.List(), Errno.EINVAL);
    }

    [Test]
    public void TryMap_MoreSegmentsThanTheDeviceTakes_IsEINVAL([Values] bool translated)
    {
        using var rig = new DmaRig();
        var limits = new DmaLimits(new ByteCount(0x1000), ByteCount.FromGiB(4), maxSegments: 2);
        DmaDevice device = translated ? rig.Translated(limits) : rig.Direct(limits);
        Refuses(rig, device, rig.List(Ram0, Ram1), Errno.EINVAL);
    }

    [Test] // J4
    public void TryMap_PeerAboveTheMaskNotTranslated_IsEIO()
    {
        using var rig = new DmaRig();
        Refuses(rig, rig.Direct(mask: DmaMask.Bits32), rig.List(FarPeer), Errno.EIO);
    }

    [Test]
    public void TryMap_RamAboveTheMaskNotTranslated_IsEIO()
    {
        using var rig = new DmaRig();
        Refuses(rig, rig.Direct(mask: DmaMask.Bits32), rig.List(Ram0, Range(HighRam.Start.Value, 0x1000)), Errno.EIO);
    }

    [Test]
    public void TryMap_RamAboveTheMaskTranslated_Works()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig.Translated(mask: DmaMask.OfBits(24)), rig.List(Range(HighRam.Start.Value, 0x1000)));
        Assert.That(mapping.Segments[0].Address, Is.LessThan(new DmaAddr(1 << 24)));
    }

    [Test]
    public void TryMap_StaleList_IsEAGAIN()
    {
        using var rig = new DmaRig();
        var source = new ValiditySource();
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        builder.TryAppend(Ram0).ThrowIfError();
        PhysRangeList list = builder.Build(source.Token);
        source.Invalidate();
        Refuses(rig, rig.Translated(), list, Errno.EAGAIN);
    }

    [Test]
    public void TryMap_DeviceDetached_IsENODEVAndItsMappingsAreNotValid()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        using DmaMapping live = Map(device, rig.List(Ram1));
        Assert.That(rig.Machine.Dma.TryDetach(rig.Client), Is.EqualTo(Errno.Ok));
        Assert.That((live.IsValid, device.IsAttached), Is.EqualTo((false, false)));
        Refuses(rig, device, rig.List(Ram0), Errno.ENODEV);
        Assert.That(
            rig.Machine.Dma.Diagnostics.Collect().Select(d => d.Kind), Is.EqualTo(new[] { DmaDiagnosticKind.OutstandingAtDetach }));
    }

    [Test]
    public void TryMap_UndefinedDirection_Throws()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Direct();
        Assert.That(
            () => device.TryMap(rig.List(Ram0), (DmaDirection)3, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void TryMap_LargeRun_IsCutAndMergedToTheLimits()
    {
        using var rig = new DmaRig();
        var limits = new DmaLimits(new ByteCount(0x5000), new ByteCount(0x1_0000));
        using DmaMapping mapping = Map(rig.Translated(limits), rig.List(Range(0x200_0800, 0x2_0000)));
        foreach (DmaSegment segment in mapping.Segments)
        {
            ulong last = segment.Address.Value + segment.Length.Value - 1;
            Assert.That(segment.Length, Is.LessThanOrEqualTo(limits.MaxSegmentSize));
            Assert.That(last >> 16, Is.EqualTo(segment.Address.Value >> 16), $"{segment} crosses a boundary");
        }

        Assert.That(mapping.Length.Value, Is.EqualTo(0x2_0000));
    }

    [Test]
    public void TryMap_AlignedTwoMiBOfRam_UsesALargeLeaf()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig.Translated(), rig.List(Range(0x200_0000, 2 << 20)));
        Assert.That(rig.Domain.TablePages.Value, Is.EqualTo(3), "no table below the middle level");
    }

    [Test]
    public void TryMap_OneProviderManyRanges_AsksOnce()
    {
        using var rig = new DmaRig();
        PhysRange[] slices = [.. Enumerable.Range(0, 64).Select(i => Range(0xd000_0000 + ((ulong)i << 13), 0x200))];
        using DmaMapping mapping = Map(rig.Translated(), rig.List(slices));
        Assert.That((rig.Near.Questions, mapping.Segments.Length), Is.EqualTo((1, 64)));
    }

    [Test]
    public void TryMap_NthResourceRefused_LeaksNothing([Range(1, 8)] int nth)
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        FaultPoint[] points = [FaultPoint.Slab, IommuDomain.WindowFault, IommuDomain.TableFault];
        foreach (FaultPoint point in points)
        {
            rig.Machine.Faults.FailNth(point, (ulong)nth);
            string before = rig.Picture(device);
            Errno errno = device.TryMap(rig.List(Ram0, Range(0x300_0000, 4 << 20), Peer), DmaDirection.FromDevice, out DmaMapping? mapping);
            mapping?.Dispose();
            Assert.That(errno, Is.AnyOf(Errno.Ok, Errno.ENOMEM));
            Assert.That(errno.IsOk, Is.EqualTo(rig.Machine.Faults.FailureCount(point) == 0), point.Name);
            Assert.That(rig.Picture(device), Is.EqualTo(before), point.Name);
            rig.Machine.Faults.Clear();
        }
    }

    private static DmaMapping Map(DmaDevice device, PhysRangeList list)
    {
        device.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }

    private static void Refuses(DmaRig rig, DmaDevice device, PhysRangeList list, Errno errno)
    {
        string before = rig.Picture(device);
        Assert.That(device.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping), Is.EqualTo(errno));
        Assert.That((mapping, rig.Picture(device)), Is.EqualTo(((DmaMapping?)null, before)));
    }

    private static PhysAddr Translate(DmaRig rig, DmaAddr address)
    {
        Assert.That(rig.Domain.TryTranslate(address, out PhysAddr target, out _), Is.True);
        return target;
    }
}
