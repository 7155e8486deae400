using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Providers;

/// <summary>The providers of BARs: one for each BAR that a driver offers, and found again by address.</summary>
/// <remarks>
/// Owns the providers between a driver's first question and its unbinding. Other providers may be registered in the
/// same <see cref="ProviderMap"/>; this type does not touch them.
/// <para><b>Linux:</b> pcim_p2pdma_init and pcim_p2pdma_provider (v6.19).</para>
/// <para><b>Invariants:</b> (1) one live provider at most for each BAR; (2) it is in the provider map as long as it lives.</para>
/// <para><b>Locking:</b> one lock, rank Topology; the provider map's is taken inside it.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class BarProviders
{
    private readonly RankedLock gate = new(LockRank.Topology);
    private readonly Dictionary<(DeviceId Device, int Bar), Entry> live = []; // protected by gate
    private readonly Dictionary<DeviceId, KernelVerdictCache> kept = []; // protected by gate
    private readonly PciDevices devices;
    private readonly P2pRouter router;
    private readonly ProviderMap map;
    private readonly VerdictKeeping keeping;

    internal BarProviders(PciDevices devices, P2pRouter router, ProviderMap map, VerdictKeeping keeping)
    {
        this.devices = devices;
        this.router = router;
        this.map = map;
        this.keeping = keeping;
    }

    /// <summary>How many BARs have a provider.</summary>
    public int Count
    {
        get
        {
            using (gate.Enter())
            {
                return live.Count;
            }
        }
    }

    /// <summary>The provider of a BAR; made when first asked for, the same from then on.</summary>
    /// <param name="place">The function whose driver asks.</param>
    /// <param name="bar">The BAR's index.</param>
    /// <param name="provider">The provider, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.ENODEV"/>: no such function.
    /// <see cref="Errno.EINVAL"/>: it has no such memory BAR.
    /// <see cref="Errno.ENXIO"/>: the BAR has no window in the machine: its address or size is not known, or something
    /// else lies there.
    /// <see cref="Errno.EBUSY"/>: somebody else's provider answers for a part of the window.
    /// </returns>
    public Errno TryGet(PciPlace place, int bar, out BarProvider? provider)
    {
        provider = null;
        if (!devices.TryFind(place, out PciDevice? device))
        {
            return Errno.ENODEV;
        }

        if (!device.TryGetWindow(bar, out BarWindow window))
        {
            return Errno.EINVAL;
        }

        if (window.Region is null)
        {
            return Errno.ENXIO;
        }

        using (gate.Enter())
        {
            if (live.TryGetValue((device.Id, bar), out Entry there))
            {
                provider = there.Provider;
                return Errno.Ok;
            }

            return TryMake(device, window, out provider);
        }
    }

    /// <summary>Asks for the distance anew, as drivers do before they use a provider.</summary>
    /// <remarks><b>Linux:</b> pci_p2pdma_distance_many (v6.12), which also refreshes what is kept of each client.</remarks>
    internal P2pDistance MeasureDistance(PciDevice device, ReadOnlySpan<PciPlace> clients)
    {
        KernelVerdictCache? cache;
        using (gate.Enter())
        {
            _ = kept.TryGetValue(device.Id, out cache);
        }

        foreach (PciPlace client in clients)
        {
            _ = cache?.Distance(client);
        }

        return router.DistanceMany(device.Place, clients);
    }

    /// <summary>Ends all providers of a device.</summary>
    internal void Unbind(PciDevice device)
    {
        Entry[] ending;
        using (gate.Enter())
        {
            ending = [.. live.Where(pair => pair.Key.Device == device.Id).Select(static pair => pair.Value)];
            foreach (Entry entry in ending)
            {
                _ = live.Remove((device.Id, entry.Provider.Bar));
            }

            _ = kept.Remove(device.Id);
        }

        foreach (Entry entry in ending)
        {
            entry.Provider.Die();
            entry.Registration.Dispose();
        }
    }

    private Errno TryMake(PciDevice device, BarWindow window, out BarProvider? provider)
    {
        var candidate = new BarProvider(devices, router, KeptFor(device), device, window);
        Errno errno = map.TryRegister(candidate, out ProviderRegistration? registration);
        if (!errno.IsOk)
        {
            candidate.Die();
            provider = null;
            return errno;
        }

        live.Add((device.Id, candidate.Bar), new Entry(candidate, registration!));
        provider = candidate;
        return Errno.Ok;
    }

    // One for each function, as in Linux, whatever the number of its BARs.
    private KernelVerdictCache? KeptFor(PciDevice device)
    {
        if (keeping == VerdictKeeping.UntilEdited)
        {
            return null;
        }

        if (!kept.TryGetValue(device.Id, out KernelVerdictCache? cache))
        {
            cache = new KernelVerdictCache(router, device.Place);
            kept.Add(device.Id, cache);
        }

        return cache;
    }

    private readonly record struct Entry(BarProvider Provider, ProviderRegistration Registration);
}
