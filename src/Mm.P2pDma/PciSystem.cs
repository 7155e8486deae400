using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Mapping;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma;

/// <summary>The PCI side of a machine: a topology bound to it, with providers, pools, routes and mappings.</summary>
/// <remarks>
/// Owns the rooms' registries and keeps them in step when functions come and go. Not responsible for drivers: who binds a
/// BAR, publishes memory or maps a list is the user.
/// <para><b>Linux:</b> the PCI core with drivers/pci/p2pdma.c (v6.12).</para>
/// <para><b>Invariants:</b> (1) after <see cref="Refresh"/> there is one device for each function of the topology; (2) when a
/// device goes, its providers die before its windows do.</para>
/// <para><b>Locking:</b> safe from any thread; changes of the set of functions exclude each other.</para>
/// </remarks>
public sealed class PciSystem
{
    private readonly Lock editing = new();

    /// <summary>Binds a topology to a machine: devices for its functions, windows for their memory BARs.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="topology">The topology; edit it through this object, or call <see cref="Refresh"/> afterwards.</param>
    /// <param name="rules">The kernel's rules; those of the machine's profile where left out.</param>
    /// <param name="keeping">For how long providers keep verdicts.</param>
    public PciSystem(
        Machine machine,
        Topology topology,
        P2pRules? rules = null,
        VerdictKeeping keeping = VerdictKeeping.UntilEdited)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(topology);
        Machine = machine;
        Topology = topology;
        Router = new P2pRouter(topology, rules ?? P2pRules.ForVersion(machine.Profile.Version));
        Devices = new PciDevices(machine);
        Pagemaps = new PeerPagemaps(machine.Pagemaps);
        Bars = new BarProviders(Devices, Router, ProviderMap, keeping);
        Pools = new P2pMemPools(machine, Devices, Bars, Pagemaps);
        Owners = new RangeOwnerLayers(Pagemaps, machine.RangeOwners);
        Mapper = new PeerMapper(this);
        Refresh();
    }

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>The topology.</summary>
    public Topology Topology { get; }

    /// <summary>Who reaches whom, and why.</summary>
    public P2pRouter Router { get; }

    /// <summary>The functions as devices of the machine.</summary>
    public PciDevices Devices { get; }

    /// <summary>The machine's providers by address, users' own among them.</summary>
    public ProviderMap ProviderMap => Machine.Providers;

    /// <summary>The providers of BARs.</summary>
    public BarProviders Bars { get; }

    /// <summary>The parts of BARs that have page descriptors.</summary>
    public PeerPagemaps Pagemaps { get; }

    /// <summary>The pools of peer memory.</summary>
    public P2pMemPools Pools { get; }

    /// <summary>Who owns which address: page maps before providers before the address map.</summary>
    public IRangeOwnerSource Owners { get; }

    /// <summary>Maps lists for several clients, each with its reason.</summary>
    public PeerMapper Mapper { get; }

    /// <summary>Makes a builder of range lists that finds the owners of addresses here.</summary>
    /// <returns>The builder.</returns>
    public PhysRangeListBuilder CreateListBuilder() => new(Owners);

    /// <summary>Gives a function its DMA view.</summary>
    /// <param name="place">The function.</param>
    /// <param name="mask">How far its addresses reach.</param>
    /// <param name="limits">What its segments may look like.</param>
    /// <param name="domain">Who translates for it; null for nobody.</param>
    /// <param name="view">The view, or null when refused.</param>
    /// <returns>Ok; <see cref="Errno.ENODEV"/>: no such function; <see cref="Errno.EBUSY"/>: it has one already.</returns>
    public Errno TryAttach(PciPlace place, DmaMask mask, DmaLimits limits, IommuDomain? domain, out DmaDevice? view)
    {
        view = null;
        if (!Devices.TryFind(place, out PciDevice? device))
        {
            return Errno.ENODEV;
        }

        lock (editing)
        {
            if (Machine.Dma.TryFind(device.Id, out _))
            {
                return Errno.EBUSY;
            }

            view = Machine.Dma.Attach(device.Id, mask, limits, domain);
            return Errno.Ok;
        }
    }

    /// <summary>Makes an I/O address space that leaves out every known window, so that no I/O address looks like a peer's.</summary>
    /// <param name="name">What reports call it.</param>
    /// <returns>The domain.</returns>
    /// <remarks><b>Linux:</b> iova_reserve_pci_windows (v6.12), there by the host bridge's windows.</remarks>
    public IommuDomain CreateDomain(string name)
    {
        IommuDomain domain = Machine.Dma.CreateDomain(name);
        foreach (BarWindow window in Devices.Collect().SelectMany(static device => device.Windows))
        {
            if (window.Region is { } region)
            {
                ulong bus = unchecked(region.Range.Start.Value + window.BusOffset.Value); // modulo 2^64, as the host bridge adds
                domain.Reserve(new DmaAddr(bus), region.Range.Length);
            }
        }

        return domain;
    }

    /// <summary>Hot-adds a function: to the topology, and as a device with its windows.</summary>
    /// <param name="function">The function.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>As <see cref="Topology.TryAdd"/>.</returns>
    public Errno TryAdd(PciFunction function, out TopologyDefect defect)
    {
        Errno errno = Topology.TryAdd(function, out defect);
        Refresh();
        return errno;
    }

    /// <summary>Hot-removes a function and all below it: its providers die, its pool ends, its windows go.</summary>
    /// <param name="place">The function.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>As <see cref="Topology.TryRemove"/>.</returns>
    public Errno TryRemove(PciPlace place, out TopologyDefect defect)
    {
        Errno errno = Topology.TryRemove(place, out defect);
        Refresh();
        return errno;
    }

    /// <summary>Unbinds a function's driver: its providers die and its pool ends; the function and its windows stay.</summary>
    /// <param name="place">The function.</param>
    /// <returns>Ok, or <see cref="Errno.ENODEV"/>: no such function.</returns>
    /// <remarks>
    /// Linux waits here until the last page is back; here the page maps stay dying until then, and their addresses are
    /// not given again before.
    /// </remarks>
    public Errno TryUnbind(PciPlace place)
    {
        if (!Devices.TryFind(place, out PciDevice? device))
        {
            return Errno.ENODEV;
        }

        lock (editing)
        {
            Unbind(device);
            return Errno.Ok;
        }
    }

    /// <summary>Takes over what was edited in the topology behind this object's back.</summary>
    public void Refresh()
    {
        lock (editing)
        {
            TopologySnapshot snapshot = Topology.Snapshot;
            IReadOnlyList<PciDevice> gone = Devices.CollectGone(snapshot);
            foreach (PciDevice device in gone)
            {
                Unbind(device);
            }

            Devices.Remove(gone);
            Devices.AddNew(snapshot);
        }
    }

    /// <summary>Recounts the machine, the provider map and the pools.</summary>
    /// <exception cref="Core.Checks.MmBugException">An invariant is broken.</exception>
    public void Validate()
    {
        Machine.Validate();
        ProviderMap.Validate();
        Pools.Validate();
    }

    private void Unbind(PciDevice device)
    {
        Pools.Release(device);
        Pagemaps.Kill(device);
        Bars.Unbind(device);

        // ENODEV where it did no DMA: nothing to take away.
        _ = Machine.Dma.TryDetach(device.Id);
    }
}
