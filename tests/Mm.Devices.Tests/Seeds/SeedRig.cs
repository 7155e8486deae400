using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Seeds;

/// <summary>The machine of two switches: GPU A with a NIC beside it, GPU B and a drive across the host bridge, a NIC on another host.</summary>
internal sealed class SeedRig : IDisposable
{
    internal static readonly PciPlace GpuA = PciAddress.Parse("0000:03:00.0");
    internal static readonly PciPlace GpuB = PciAddress.Parse("0000:07:00.0");
    internal static readonly PciPlace Near = PciAddress.Parse("0000:04:00.0");
    internal static readonly PciPlace Far = PciAddress.Parse("0000:81:00.0");

    internal SeedRig()
    {
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64)))
            .Build();
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        Pci = new PciSystem(Machine, topology!);
        Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Process = space!;
    }

    internal Machine Machine { get; }

    internal PciSystem Pci { get; }

    internal AddressSpace Process { get; }

    public void Dispose()
    {
        Process.Dispose();
        Pci.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero));
    }

    internal BarProvider Memory(PciPlace place)
    {
        Pci.Bars.TryGet(place, 1, out BarProvider? provider).ThrowIfError();
        return provider!;
    }

    internal DmaDevice Attach(PciPlace place)
    {
        Pci.TryAttach(place, DmaMask.Bits64, default, domain: null, out DmaDevice? device).ThrowIfError();
        return device!;
    }

    /// <summary>Maps a page of a driver into the process.</summary>
    internal VirtRange Map(AreaBacking backing, ulong pages = 1)
    {
        var request = new AreaRequest(new PageCount(pages).ToBytes(), backing.Describe(AreaAccess.ReadWrite));
        Process.TryMap(request, out VirtRange range).ThrowIfError();
        return range;
    }
}
