using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Tests.Nics.PagePools;

/// <summary>A machine with two nodes, a translated device, and pools for it.</summary>
internal sealed class PoolRig : IDisposable
{
    private readonly List<PagePool> pools = [];

    public PoolRig()
    {
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x20_0000), ByteCount.FromMiB(8)))
            .AddRam(new NodeId(1), new PhysRange(new PhysAddr(0x100_0000), ByteCount.FromMiB(8)))
            .Build();
        Device = Machine.Dma.Attach(
            Machine.RegisterDevice("nic"), DmaMask.Bits64, domain: Machine.Dma.CreateDomain("nic"));
    }

    public Machine Machine { get; }

    public DmaDevice Device { get; }

    public NapiContext Napi { get; } = new();

    public PagePoolOptions Mapped => new()
    {
        Device = Device,
        SyncsForDevice = true,
        MaxLength = new ByteCount(4096),
        Napi = Napi,
    };

    public PagePool Create(PagePoolOptions options)
    {
        PagePool.TryCreate(Machine, options, out PagePool? pool).ThrowIfError();
        pools.Add(pool!);
        return pool!;
    }

    public static PoolLease Take(PagePool pool)
    {
        pool.TryAllocate(out PoolLease lease).ThrowIfError();
        return lease;
    }

    public static PoolPage PageOf(PoolLease lease) =>
        lease.Memory.TryGetPage(out PoolPage? page) ? page : throw new InvalidOperationException("no page");

    /// <summary>Every pool ends freed, nothing stays mapped, no page is lost.</summary>
    public void Dispose()
    {
        foreach (PagePool pool in pools)
        {
            pool.Validate();
            pool.Dispose();
            pool.Validate();
            Assert.That((pool.IsFreed, pool.InFlight), Is.EqualTo((true, 0)));
        }

        Assert.That(Device.LiveMappings, Is.Zero);
        Machine.Validate();
        Machine.Dispose();
    }
}
