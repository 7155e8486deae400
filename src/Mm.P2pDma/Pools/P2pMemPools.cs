using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Locking;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Pools;

/// <summary>The pools of a machine, and which of them suits a set of clients.</summary>
/// <remarks>
/// Owns one pool for each device that gave memory to it. A device whose driver keeps its BAR to itself has none, and is
/// never offered to anybody.
/// <para><b>Linux:</b> pci_p2pdma_add_resource, pci_has_p2pmem, pci_p2pmem_find_many (drivers/pci/p2pdma.c, v6.12).
/// Deliberate difference: a refused <see cref="TryAddResource"/> leaves no pool behind, where Linux leaves an empty one.</para>
/// <para><b>Invariants:</b> (1) one pool for each device at most.</para>
/// <para><b>Locking:</b> one lock, rank Leaf; pools' own are taken without it.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class P2pMemPools
{
    // As many candidates as Linux keeps in one page of pointers; more at the same distance are not considered.
    private const int MostCandidates = 512;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Dictionary<DeviceId, P2pMemPool> pools = []; // protected by gate
    private readonly MachineRandom random; // protected by gate
    private readonly PciDevices devices;
    private readonly BarProviders providers;
    private readonly PeerPagemaps pagemaps;
    private readonly Machine machine;

    internal P2pMemPools(Machine machine, PciDevices devices, BarProviders providers, PeerPagemaps pagemaps)
    {
        random = machine.CreateRandom("p2pmem find");
        this.machine = machine;
        this.devices = devices;
        this.providers = providers;
        this.pagemaps = pagemaps;
    }

    /// <summary>Gives a part of a BAR to peer-to-peer DMA: page descriptors for it, and a stretch of the device's pool.</summary>
    /// <param name="place">The function whose driver gives it.</param>
    /// <param name="bar">The BAR's index.</param>
    /// <param name="size">How many bytes; zero for the rest of the BAR.</param>
    /// <param name="offset">Where in the BAR.</param>
    /// <param name="pagemap">The page map, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.ENODEV"/>: no such function.
    /// <see cref="Errno.EINVAL"/>: it has no such memory BAR, the offset is at or past its end, the part ends beyond it, or
    /// it does not lie on granules of 2 MiB.
    /// <see cref="Errno.ENOMEM"/>: its first or last page is given already, or no memory for descriptors.
    /// <see cref="Errno.EEXIST"/>: it lies around a part that is given already, or touches one that is still in use
    /// after its driver unbound.
    /// <see cref="Errno.ENXIO"/>, <see cref="Errno.EBUSY"/>: as <see cref="BarProviders.TryGet"/>.
    /// </returns>
    public Errno TryAddResource(PciPlace place, int bar, ByteCount size, ByteCount offset, out PeerPagemap? pagemap)
    {
        pagemap = null;
        Errno errno = providers.TryGet(place, bar, out BarProvider? provider);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = pagemaps.TryAdd(provider!, size, offset, out pagemap);
        if (errno.IsOk)
        {
            PoolOf(provider!.Device).Add(pagemap!);
        }

        return errno;
    }

    /// <summary>Finds the pool of a device.</summary>
    /// <param name="place">The function.</param>
    /// <param name="pool">Its pool, or null.</param>
    /// <returns>Whether it has one: not when its driver keeps its memory to itself.</returns>
    public bool TryFind(PciPlace place, [NotNullWhen(true)] out P2pMemPool? pool)
    {
        pool = null;
        if (!devices.TryFind(place, out PciDevice? device))
        {
            return false;
        }

        using (gate.Enter())
        {
            return pools.TryGetValue(device.Id, out pool);
        }
    }

    /// <summary>Whether a device offers peer memory to others.</summary>
    /// <param name="place">The function.</param>
    /// <returns>Whether it has a pool and published it.</returns>
    /// <remarks><b>Linux:</b> pci_has_p2pmem (v6.12).</remarks>
    public bool HasP2pMem(PciPlace place) => TryFind(place, out P2pMemPool? pool) && pool.IsPublished;

    /// <summary>Finds the published pool that is nearest to all clients together; by chance among the nearest.</summary>
    /// <param name="clients">The functions that will do DMA.</param>
    /// <param name="pool">The pool, or null when refused.</param>
    /// <returns>Ok, or <see cref="Errno.ENODEV"/>: no client is given, nobody published memory, or every pool is out of reach of
    /// some client.</returns>
    /// <remarks><b>Linux:</b> pci_p2pmem_find_many (v6.12).</remarks>
    public Errno TryFindNearest(ReadOnlySpan<PciPlace> clients, out P2pMemPool? pool)
    {
        pool = null;
        var nearest = new List<P2pMemPool>();
        int closest = int.MaxValue;
        foreach (P2pMemPool candidate in CollectPublished())
        {
            P2pDistance distance = providers.MeasureDistance(candidate.Device, clients);
            if (distance.Total is not { } total || total > closest)
            {
                continue;
            }

            if (total < closest)
            {
                nearest.Clear();
                closest = total;
            }

            if (nearest.Count < MostCandidates)
            {
                nearest.Add(candidate);
            }
        }

        if (nearest.Count == 0)
        {
            return Errno.ENODEV;
        }

        using (gate.Enter())
        {
            pool = nearest[(int)random.NextBelow((ulong)nearest.Count)];
        }

        return Errno.Ok;
    }

    /// <summary>Recounts every pool.</summary>
    /// <exception cref="Core.Checks.MmBugException">An invariant is broken.</exception>
    public void Validate()
    {
        foreach (P2pMemPool pool in CollectAll())
        {
            pool.Validate();
        }
    }

    /// <summary>Ends the pool of a device, if it has one; what is out comes back to it.</summary>
    internal void Release(PciDevice device)
    {
        P2pMemPool? pool;
        using (gate.Enter())
        {
            _ = pools.Remove(device.Id, out pool);
        }

        pool?.Release();
    }

    private P2pMemPool PoolOf(PciDevice device)
    {
        using (gate.Enter())
        {
            if (!pools.TryGetValue(device.Id, out P2pMemPool? pool))
            {
                pool = new P2pMemPool(device, machine);
                pools.Add(device.Id, pool);
            }

            return pool;
        }
    }

    // By place, so that the same seed picks the same pool whatever order they were made in.
    private IEnumerable<P2pMemPool> CollectPublished() =>
        CollectAll().Where(static pool => pool.IsPublished).OrderBy(static pool => pool.Device.Place);

    private P2pMemPool[] CollectAll()
    {
        using (gate.Enter())
        {
            return [.. pools.Values];
        }
    }
}
