using Mm.Core;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tour;

/// <summary>Publishes an NVMe drive's controller memory buffer as a pool, and allocates from it for clients that reach it.</summary>
internal static class PoolChapter
{
    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        P2pMemPools pools = stage.Pci.Pools;
        PciPlace drive = stage.Drive.Place;
        stage.Check(
            pools.TryFindNearest([stage.SecondGpu.Place], out _) == Errno.ENODEV, "nobody published memory: nothing is found");
        pools.TryAddResource(drive, TourStage.LargestBar(stage.Drive), ByteCount.Zero, ByteCount.Zero, out _).ThrowIfError();
        stage.Check(pools.TryFind(drive, out P2pMemPool? pool), "the drive's controller memory buffer has pages and a pool");
        pool!.IsPublished = true;
        stage.Say($"  {pool}");
        pools.TryFindNearest([stage.SecondGpu.Place, stage.DirectNic.Place], out P2pMemPool? nearest).ThrowIfError();
        stage.Check(ReferenceEquals(nearest, pool), "published, it is found for clients that reach it");
        stage.Check(
            pools.TryFindNearest([stage.FarNic.Place], out _) == Errno.ENODEV, "a client that cannot reach it finds nothing");
        stage.Check(!pools.TryFind(stage.Gpu.Place, out _), "the GPU, which allocates its own memory, never sees a pool");
        Allocate(stage, pool);
    }

    private static void Allocate(TourStage stage, P2pMemPool pool)
    {
        pool.TryAllocate(new ByteCount(100_000), out P2pMemory? first).ThrowIfError();
        pool.TryAllocate(new ByteCount(4096), out P2pMemory? second).ThrowIfError();
        stage.Say($"  {first}");
        stage.Say($"  {second}");
        stage.Check(
            first!.Range.Start < second!.Range.Start && !first.Pages.Overlaps(second.Pages), "first fit, by whole pages");
        first.Dispose();
        second.Dispose();
        stage.Check(pool.Available == pool.Size, "given back, the pool is whole again");
    }
}
