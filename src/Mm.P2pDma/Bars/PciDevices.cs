using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Locking;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Bars;

/// <summary>The functions of a topology as devices of a machine.</summary>
/// <remarks>
/// Gives each function an identity, and a window to each memory BAR whose address and size are known. Not responsible for
/// what happens to providers and mappings when a function goes: <see cref="PciSystem"/> ends those first.
/// <para><b>Linux:</b> the devices of pci_bus_type and pci_claim_resource (v6.12). Nothing is assigned: a BAR lies where the
/// topology says, or has no window.</para>
/// <para><b>Invariants:</b> (1) there is one present device for each function of the snapshot that was taken over last;
/// (2) an identity is never used again.</para>
/// <para><b>Locking:</b> one lock, rank Topology, held while windows are added and taken out.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class PciDevices
{
    private readonly RankedLock gate = new(LockRank.Topology);
    private readonly Dictionary<PciPlace, PciDevice> byPlace = []; // protected by gate
    private readonly Dictionary<DeviceId, PciDevice> byId = []; // protected by gate
    private readonly Machine machine;

    internal PciDevices(Machine machine) => this.machine = machine;

    /// <summary>How many devices are present.</summary>
    public int Count
    {
        get
        {
            using (gate.Enter())
            {
                return byPlace.Count;
            }
        }
    }

    /// <summary>Finds the device at a place.</summary>
    /// <param name="place">The place.</param>
    /// <param name="device">The device, or null.</param>
    /// <returns>Whether one is present there.</returns>
    public bool TryFind(PciPlace place, [NotNullWhen(true)] out PciDevice? device)
    {
        using (gate.Enter())
        {
            return byPlace.TryGetValue(place, out device);
        }
    }

    /// <summary>Finds the device of an identity.</summary>
    /// <param name="id">The identity.</param>
    /// <param name="device">The device, or null.</param>
    /// <returns>Whether it is a PCI device that is present.</returns>
    public bool TryFind(DeviceId id, [NotNullWhen(true)] out PciDevice? device)
    {
        using (gate.Enter())
        {
            return byId.TryGetValue(id, out device);
        }
    }

    /// <summary>The devices that are present, by place.</summary>
    /// <returns>A copy.</returns>
    public IReadOnlyList<PciDevice> Collect()
    {
        using (gate.Enter())
        {
            return [.. byPlace.Values.OrderBy(static device => device.Place)];
        }
    }

    /// <summary>The devices whose function is not in a snapshot any more, or has other BARs there.</summary>
    internal IReadOnlyList<PciDevice> CollectGone(TopologySnapshot snapshot) =>
        [.. Collect().Where(device => IsGone(device, snapshot))];

    /// <summary>Takes devices and their windows out of the machine.</summary>
    internal void Remove(IReadOnlyList<PciDevice> gone)
    {
        using (gate.Enter())
        {
            foreach (PciDevice device in gone)
            {
                device.MarkRemoved();
                _ = byPlace.Remove(device.Place);
                _ = byId.Remove(device.Id);
                foreach (BarWindow window in device.Windows.Where(static window => window.Region is not null))
                {
                    // ENOENT when somebody took the window out before: it is gone, which is what is wanted.
                    _ = machine.TryRemoveRegion(window.Region!);
                }
            }
        }
    }

    /// <summary>Makes devices of the functions that have none yet.</summary>
    internal void AddNew(TopologySnapshot snapshot)
    {
        using (gate.Enter())
        {
            foreach (PciFunction function in snapshot.Functions)
            {
                if (!byPlace.ContainsKey(function.Place))
                {
                    Add(function);
                }
            }
        }
    }

    private static bool IsGone(PciDevice device, TopologySnapshot snapshot) =>
        !snapshot.TryFind(device.Place, out PciFunction? now) || !now.Bars.SequenceEqual(device.Function.Bars);

    private void Add(PciFunction function)
    {
        DeviceId id = machine.RegisterDevice(UnusedName(function.Place.ToString()));
        var windows = new List<BarWindow>();
        foreach (PciBar bar in function.Bars.Where(static bar => bar.IsMemory))
        {
            windows.Add(Claim(function, bar));
        }

        var device = new PciDevice(id, function, windows);
        byPlace.Add(device.Place, device);
        byId.Add(id, device);
    }

    private BarWindow Claim(PciFunction function, PciBar bar)
    {
        bool isOff = (bar.Flags & PciBarFlags.Disabled) != PciBarFlags.None;
        if (isOff || !bar.TryGetRange(out PhysRange range) || range.IsEmpty)
        {
            return new BarWindow(bar, null, Errno.ENXIO);
        }

        string name = $"{function.Place} BAR {bar.Index}";
        Errno errno = machine.TryAddDeviceWindow(name, range, out AddressRegion? region, function.Node);
        return new BarWindow(bar, region, errno);
    }

    // A machine's names are unique for its whole life; a function that comes back is another device at the same place.
    private string UnusedName(string name)
    {
        string candidate = name;
        for (int again = 2; machine.TryFindDevice(candidate, out _); again++)
        {
            candidate = $"{name}#{again}";
        }

        return candidate;
    }
}
