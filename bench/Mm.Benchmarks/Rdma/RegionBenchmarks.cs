using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.Benchmarks.Rdma;

/// <summary>Registering a process's memory with a NIC and letting it go, against finding it registered.</summary>
[MemoryDiagnoser]
public class RegionBenchmarks
{
    private const RegionAccess Access = RegionAccess.LocalWrite | RegionAccess.RemoteWrite;

    private Machine machine = null!;
    private AddressSpace space = null!;
    private RdmaNic nic = null!;
    private ProtectionDomain domain = null!;
    private RegionCache cache = null!;
    private VirtRange range;

    [Params(1, 256, 4096)]
    public int Pages { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(256))).Build();
        _ = BuiltInMachines.TryGet("two-switch", out Topology? topology);
        RdmaNic.TryCreate(
            new RdmaWire(), new PciSystem(machine, topology!), PciAddress.Parse("0000:04:00.0"), options: null, out RdmaNic? made).ThrowIfError();
        nic = made!;
        machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        space = process!;
        nic.TryOpen(space, new PageCount(1 << 20), out RdmaContext? context).ThrowIfError();
        context!.TryCreateDomain(out ProtectionDomain? protection).ThrowIfError();
        domain = protection!;
        var request = new AreaRequest(
            new PageCount((ulong)Pages).ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
        space.TryMap(request, out range).ThrowIfError();
        space.TryPopulateWrite(range.Start, range.Length).ThrowIfError();
        cache = new RegionCache(domain, Access);
        cache.TryGet(range.Start, range.Length, out CachedRegion? first).ThrowIfError();
        first!.Dispose();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        cache.Dispose();
        nic.Dispose();
        space.Dispose();
        machine.Dispose();
    }

    /// <summary>Pins, maps, gives a key; and back.</summary>
    [Benchmark(Baseline = true)]
    public void Register()
    {
        domain.TryRegister(range.Start, range.Length, Access, out MemoryRegion? region).ThrowIfError();
        region!.Dispose();
    }

    /// <summary>On demand: nothing is pinned or mapped before it is used.</summary>
    [Benchmark]
    public void RegisterOnDemand()
    {
        domain.TryRegister(range.Start, range.Length, Access | RegionAccess.OnDemand, out MemoryRegion? region).ThrowIfError();
        region!.Dispose();
    }

    /// <summary>Finds the region of the last time.</summary>
    [Benchmark]
    public void CacheHit()
    {
        cache.TryGet(range.Start, range.Length, out CachedRegion? lease).ThrowIfError();
        lease!.Dispose();
    }
}
