using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;
using Shapes = Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests;

/// <summary>A machine with RAM and a switch: a GPU and an NVMe on one port, a NIC on the other, and a far device elsewhere.</summary>
internal sealed class PciRig : IDisposable
{
    public const ulong BusOffset = 0x100_0000_0000;
    public static readonly PciPlace Gpu = Shapes.At("03:00.0");
    public static readonly PciPlace Nvme = Shapes.At("03:00.1");
    public static readonly PciPlace Nic = Shapes.At("04:00.0");
    public static readonly PciPlace Far = Shapes.At("05:00.0");
    public static readonly PciPlace NicPort = Shapes.At("02:01.0");
    public static readonly CpuIdentity Zen = new(CpuVendor.Amd, 0x17, 1);
    public static readonly PhysRange Ram = Range(0x100_0000, 64UL << 20);
    public static readonly PhysRange GpuBar = Range(0xd000_0000, 32UL << 20);
    public static readonly PhysRange NvmeBar = Range(0x20_0000_0000, 16UL << 20);

    public PciRig(CpuIdentity? cpu = null, VerdictKeeping keeping = VerdictKeeping.UntilEdited, ulong seed = 1, LinuxProfile? profile = null)
    {
        var builder = new TopologyBuilder();
        builder.AddHost(cpu ?? Zen).AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0) });
        builder.AddFunction(Shapes.Root("00:00.0", "00", "1b36:000c", PciPortType.RootPort));
        builder.AddFunction(Shapes.Root("00:01.0", "00", "1b36:000c", PciPortType.RootPort));
        builder.AddFunction(Shapes.Below("01:00.0", "00:00.0", PciPortType.SwitchUpstream));
        builder.AddFunction(Shapes.Below("02:00.0", "01:00.0", PciPortType.SwitchDownstream));
        builder.AddFunction(Shapes.Below("02:01.0", "01:00.0", PciPortType.SwitchDownstream));
        builder.AddFunction(GpuFunction);
        builder.AddFunction(NvmeFunction);
        builder.AddFunction(Shapes.Below("04:00.0", "02:01.0", PciPortType.Endpoint));
        builder.AddFunction(Shapes.Below("05:00.0", "00:01.0", PciPortType.Endpoint));
        Machine = Machine.CreateBuilder().WithSeed(seed).WithProfile(profile ?? LinuxProfile.V612).AddRam(new NodeId(0), Ram).Build();
        System = new PciSystem(Machine, builder.Build(), rules: null, keeping);
    }

    /// <summary>BAR 0 of 32 MiB; BAR 1 I/O; BAR 2 of unknown size; BAR 4 where RAM lies.</summary>
    public static PciFunction GpuFunction => Shapes.Below("03:00.0", "02:00.0", PciPortType.Endpoint) with
    {
        Bars =
        [
            Bar(0, GpuBar),
            new PciBar(1, new PhysAddr(0x1000), new ByteCount(0x100), PciBarFlags.Io),
            new PciBar(2, new PhysAddr(0xf000_0000), null, PciBarFlags.Memory),
            Bar(4, Range(Ram.Start.Value, 0x1000)),
        ],
    };

    /// <summary>BAR 0 of 16 MiB, whose bus address is not the CPU's.</summary>
    public static PciFunction NvmeFunction => Shapes.Below("03:00.1", "02:00.0", PciPortType.Endpoint) with
    {
        Bars = [Bar(0, NvmeBar) with { BusAddress = new DmaAddr(NvmeBar.Start.Value - BusOffset / 16) }],
    };

    public Machine Machine { get; }

    public PciSystem System { get; }

    public static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));

    public BarProvider Provider(PciPlace place)
    {
        System.Bars.TryGet(place, 0, out BarProvider? provider).ThrowIfError();
        return provider!;
    }

    public DeviceId Id(PciPlace place) =>
        System.Devices.TryFind(place, out PciDevice? device) ? device.Id : DeviceId.None;

    public DmaDevice Attach(PciPlace place, IommuDomain? domain = null)
    {
        System.TryAttach(place, DmaMask.Bits64, default, domain, out DmaDevice? view).ThrowIfError();
        return view!;
    }

    public PhysRangeList List(params PhysRange[] ranges)
    {
        PhysRangeListBuilder builder = System.CreateListBuilder();
        foreach (PhysRange range in ranges)
        {
            builder.TryAppend(range).ThrowIfError();
        }

        return builder.Build();
    }

    public void SetAcs(PciPlace place, AcsBits bits) =>
        System.Topology.TrySetAcs(place, AcsControl.Of(bits), out _).ThrowIfError();

    public void Dispose()
    {
        System.Validate();
        Machine.Dispose();
    }

    private static PciBar Bar(int index, PhysRange range) =>
        new(index, range.Start, range.Length, PciBarFlags.Memory | PciBarFlags.Is64Bit);
}
