using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Mapping;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S2, P2P translation in the DMA core: "some kind of DMA core support for p2p address translation".</summary>
[Category("Seeds")]
internal sealed class P2pTranslationInDmaCoreTests
{
    private static readonly PciPlace SameSwitch = PciAddress.Parse("0000:04:00.0");
    private static readonly PciPlace BehindAcs = PciAddress.Parse("0000:08:00.0");
    private static readonly PciPlace ForeignRoot = PciAddress.Parse("0000:81:00.0");

    [Test]
    public void OneListOfVram_ForThreeClients_IsABusAddressAnIovaAndARefusal()
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(16))).Build();
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        var pci = new PciSystem(machine, topology!);
        IommuDomain domain = pci.CreateDomain("iommu");
        PciPlace[] clients = [SameSwitch, BehindAcs, ForeignRoot];
        foreach (PciPlace client in clients)
        {
            pci.TryAttach(client, DmaMask.Bits64, default, domain, out _).ThrowIfError();
        }

        pci.Bars.TryGet(PciAddress.Parse("0000:03:00.0"), 1, out BarProvider? vram).ThrowIfError();
        PhysRange[] ranges = [vram!.Aperture.Slice(ByteCount.FromMiB(1), ByteCount.FromKiB(64)), vram.Aperture.Slice(ByteCount.FromMiB(9), new ByteCount(4096))];
        PhysRangeListBuilder builder = pci.CreateListBuilder();
        builder.TryAppend(ranges).ThrowIfError();
        using PhysRangeList list = builder.Build();
        ByteCount before = domain.UsedAddresses;

        IReadOnlyList<PeerMapAttempt> attempts = pci.Mapper.MapForEach(list, DmaDirection.FromDevice, clients);

        Assert.That(attempts.Select(static attempt => attempt.Errno), Is.EqualTo(new[] { Errno.Ok, Errno.Ok, Errno.EREMOTEIO }));
        DmaSegment[] bus = [.. attempts[0].Mapping!.Segments];
        Assert.That(bus.Select(static segment => segment.IsBusAddress), Is.All.True);
        Assert.That(bus.Select(static segment => segment.Address), Is.EqualTo(ranges.Select(range => vram.ToBusAddress(range.Start))));
        DmaSegment[] iova = [.. attempts[1].Mapping!.Segments];
        Assert.That(iova.Any(static segment => segment.IsBusAddress), Is.False);
        Assert.That(domain.TryTranslate(iova[0].Address, out PhysAddr target, out _) && target == ranges[0].Start, Is.True);
        Assert.That(attempts[2].FirstRefusal!.Verdict, Is.EqualTo(attempts[2].Routes[0].Verdict), "and says why");

        byte fill = 1;
        foreach (PeerMapAttempt attempt in attempts.Take(2))
        {
            WriteAll(attempt.Mapping!, ++fill);
            foreach (PhysRange range in ranges)
            {
                using SpanLease lease = machine.Lease(range);
                Assert.That(lease.Bytes.ContainsAnyExcept(fill), Is.False, attempt.Client.ToString());
            }
        }

        foreach (PeerMapAttempt attempt in attempts)
        {
            attempt.Dispose();
        }

        Assert.That(domain.UsedAddresses, Is.EqualTo(before), "no I/O address is left, and the refusal took none");
        pci.Validate();
    }

    private static void WriteAll(DmaMapping mapping, byte value)
    {
        foreach (DmaSegment segment in mapping.Segments)
        {
            byte[] bytes = new byte[segment.Length.Value];
            bytes.AsSpan().Fill(value);
            mapping.Device.Port.TryWrite(segment.Address, bytes, out _).ThrowIfError();
        }
    }
}
