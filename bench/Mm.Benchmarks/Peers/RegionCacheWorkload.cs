using System.Diagnostics;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.Benchmarks.Peers;

/// <summary>The workload of <c>rcache.c</c> through the public API: regions that are found, with all they hold registered.</summary>
internal sealed class RegionCacheWorkload
{
    private const ulong Step = 8 << 10;
    private const int Hits = 1_000_000;
    private const ulong Seed = 9;
    private const RegionAccess Access = RegionAccess.LocalWrite | RegionAccess.RemoteWrite;

    private static readonly ByteCount Length = new(4 << 10);

    private readonly RegionCache cache;
    private readonly VirtAddr start;
    private readonly ulong count;

    internal RegionCacheWorkload(int count)
    {
        this.count = (ulong)count;
        ByteCount bytes = new(this.count * Step);
        Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(1))).Build();
        _ = BuiltInMachines.TryGet("two-switch", out Topology? topology);
        RdmaNic.TryCreate(
            new RdmaWire(), new PciSystem(machine, topology!), PciAddress.Parse("0000:04:00.0"), options: null, out RdmaNic? nic).ThrowIfError();
        machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        nic!.TryOpen(space!, bytes.ToPagesRoundUp(), out RdmaContext? context).ThrowIfError();
        context!.TryCreateDomain(out ProtectionDomain? domain).ThrowIfError();
        space!.TryMap(new AreaRequest(bytes, new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite)), out VirtRange range).ThrowIfError();
        start = range.Start;
        cache = new RegionCache(domain!, Access);
        for (ulong place = 0; place < this.count; place++)
        {
            Use(place);
        }
    }

    /// <summary>Finds a region and lets it go, in random order.</summary>
    internal Repetition Hit()
    {
        ulong state = Seed;
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int hit = 0; hit < Hits; hit++)
        {
            ulong place = Xorshift.Next(ref state) % count;
            sum += place;
            Use(place);
        }

        return new Repetition(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Hits, sum);
    }

    private void Use(ulong place)
    {
        cache.TryGet(start.AddChecked(new ByteCount(place * Step)), Length, out CachedRegion? region).ThrowIfError();
        region!.Dispose();
    }
}
