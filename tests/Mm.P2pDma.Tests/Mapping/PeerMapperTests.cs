using Mm.Core;
using Mm.Core.Dma;
using Mm.P2pDma.Mapping;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.PciRig;
using Shapes = Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Mapping;

public sealed class PeerMapperTests
{
    private static readonly PhysRange Slice = Range(GpuBar.Start.Value + 0x1200, 0x400);

    [Test] // S2's scenario: one list, three clients
    public void MapForEach_SameList_DirectThenTranslatedThenRefused()
    {
        using var rig = new PciRig(Shapes.Intel);
        _ = rig.Provider(Gpu);
        _ = rig.Attach(Nvme);
        _ = rig.Attach(Far, rig.System.CreateDomain("far"));
        IReadOnlyList<PeerMapAttempt> attempts = rig.System.Mapper.MapForEach(
            rig.List(Slice, Range(Ram.Start.Value, 0x1000)), DmaDirection.Bidirectional, Nvme, Far);
        Assert.That(attempts[0].Mapping!.Segments[0], Is.EqualTo(new DmaSegment(new DmaAddr(Slice.Start.Value), Slice.Length, true)));
        Assert.That((attempts[0].Errno, attempts[0].FirstRefusal), Is.EqualTo((Errno.Ok, (RouteExplanation?)null)));
        Assert.That((attempts[1].Errno, attempts[1].Mapping), Is.EqualTo((Errno.EREMOTEIO, (DmaMapping?)null)));
        Assert.That(attempts[1].FirstRefusal!.Provider.Place, Is.EqualTo(Gpu));
        Assert.That(attempts[1].ToString(), Does.Contain("EREMOTEIO").And.Contain("not supported"));
        Dispose(attempts);
    }

    [Test]
    public void MapForEach_AcsOnTheClientsPort_GoesThroughTheHostBridge()
    {
        using var rig = new PciRig();
        _ = rig.Provider(Gpu);
        IommuDomain domain = rig.System.CreateDomain("nic");
        DmaDevice nic = rig.Attach(Nic, domain);
        rig.SetAcs(NicPort, AcsBits.RequestRedirect);
        IReadOnlyList<PeerMapAttempt> attempts =
            rig.System.Mapper.MapForEach(rig.List(Slice), DmaDirection.FromDevice, Nic);
        DmaSegment segment = attempts[0].Mapping!.Segments[0];
        Assert.That(segment.IsBusAddress, Is.False);
        Assert.That(domain.TryTranslate(segment.Address, out PhysAddr target, out _) && target == Slice.Start, Is.True);
        Assert.That(nic.Port.TryWrite(segment.Address, new byte[] { 1, 2, 3 }, out _), Is.EqualTo(Errno.Ok));
        using (var lease = rig.Machine.Lease(Slice))
        {
            Assert.That(lease.Bytes[..3].ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        }

        Dispose(attempts);
    }

    [Test]
    public void MapForEach_AcsChangesAfterwards_EndsTheMapping()
    {
        using var rig = new PciRig();
        _ = rig.Provider(Gpu);
        _ = rig.Attach(Nic);
        IReadOnlyList<PeerMapAttempt> attempts =
            rig.System.Mapper.MapForEach(rig.List(Slice), DmaDirection.FromDevice, Nic);
        Assert.That(attempts[0].Mapping!.IsValid, Is.True);
        rig.SetAcs(NicPort, AcsBits.RequestRedirect);
        Assert.That(attempts[0].Mapping!.IsValid, Is.False);
        Dispose(attempts);
    }

    [Test]
    public void TryMap_ClientWithoutADmaView_IsENODEV()
    {
        using var rig = new PciRig();
        Assert.That(
            rig.System.Mapper.TryMap(rig.List(Range(Ram.Start.Value, 1)), Nic, DmaDirection.ToDevice, out PeerMapAttempt attempt),
            Is.EqualTo(Errno.ENODEV));
        Assert.That(attempt.Routes, Is.Empty);
    }

    [Test]
    public void TryMap_NoSuchClient_IsENODEV()
    {
        using var rig = new PciRig();
        PciPlace nobody = PciAddress.Parse("09:00.0");
        Assert.That(
            rig.System.Mapper.TryMap(rig.List(Range(Ram.Start.Value, 1)), nobody, DmaDirection.ToDevice, out _),
            Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void TryMap_WindowWithoutAProvider_IsEREMOTEIO()
    {
        using var rig = new PciRig();
        _ = rig.Attach(Nic);
        Assert.That(
            rig.System.Mapper.TryMap(rig.List(Slice), Nic, DmaDirection.ToDevice, out _), Is.EqualTo(Errno.EREMOTEIO));
    }

    [Test] // L1
    public void TryMap_ListSplitOtherwise_LeadsEveryByteToTheSameBusAddress()
    {
        using var rig = new PciRig();
        _ = rig.Provider(Nvme);
        _ = rig.Attach(Nic);
        PhysRange whole = Range(NvmeBar.Start.Value + 0x100, 0x5000);
        PhysRange[] parts = [.. Enumerable.Range(0, 40).Select(i => Range(whole.Start.Value + ((ulong)i * 0x200), 0x200))];
        Assert.That(BusAddresses(rig, parts), Is.EqualTo(BusAddresses(rig, whole)));
    }

    [Test]
    public void CreateDomain_Windows_AreNeverIoAddresses()
    {
        using var rig = new PciRig();
        Assert.That(rig.System.CreateDomain("d").UsedAddresses, Is.EqualTo(ByteCount.FromMiB(48)));
    }

    [Test]
    public void TryAttach_TwiceOrNowhere_IsRefused()
    {
        using var rig = new PciRig();
        _ = rig.Attach(Nic);
        Assert.That(rig.System.TryAttach(Nic, DmaMask.Bits64, default, null, out _), Is.EqualTo(Errno.EBUSY));
        Assert.That(
            rig.System.TryAttach(PciAddress.Parse("09:00.0"), DmaMask.Bits64, default, null, out _), Is.EqualTo(Errno.ENODEV));
    }

    private static List<ulong> BusAddresses(PciRig rig, params PhysRange[] parts)
    {
        rig.System.Mapper.TryMap(rig.List(parts), Nic, DmaDirection.ToDevice, out PeerMapAttempt attempt).ThrowIfError();
        var bytes = new List<ulong>();
        foreach (DmaSegment segment in attempt.Mapping!.Segments)
        {
            for (ulong i = 0; i < segment.Length.Value; i += 0x80)
            {
                bytes.Add(segment.Address.Value + i);
            }
        }

        attempt.Dispose();
        return bytes;
    }

    private static void Dispose(IReadOnlyList<PeerMapAttempt> attempts)
    {
        foreach (PeerMapAttempt attempt in attempts)
        {
            attempt.Dispose();
        }
    }
}
