using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Finds the bus numbers that each bridge needs so that a reader of bus numbers finds the tree again.</summary>
/// <remarks>
/// A bridge that tells its buses keeps them. One that does not gets the bus of its children and the highest bus below.
/// </remarks>
internal sealed class PciBusNumbers
{
    private readonly Dictionary<PciAddress, PciBusRange> ranges = [];
    private readonly HashSet<PciBusId> taken = [];
    private readonly List<PciPlace> unplaced = [];

    private PciBusNumbers()
    {
    }

    /// <summary>The functions that no bus number leads to from their parent.</summary>
    internal IReadOnlyList<PciPlace> Unplaced => unplaced;

    /// <summary>Finds them.</summary>
    /// <param name="snapshot">The tree.</param>
    /// <param name="functions">Its functions of one host, ordered by address.</param>
    /// <returns>The numbers.</returns>
    internal static PciBusNumbers Of(TopologySnapshot snapshot, PciFunction[] functions)
    {
        var numbers = new PciBusNumbers();
        var highest = new Dictionary<PciAddress, int>();
        foreach (PciFunction function in functions)
        {
            RaiseAncestors(snapshot, function, highest);
        }

        foreach (PciFunction function in functions)
        {
            if (function.BusesBelow is { } told)
            {
                _ = numbers.TryTake(function, told);
            }
        }

        foreach (PciFunction function in functions)
        {
            if (snapshot.ParentOf(function) is { } parent)
            {
                numbers.Lead(parent, function, highest);
            }
        }

        return numbers;
    }

    /// <summary>The buses below a function.</summary>
    /// <param name="function">The function.</param>
    /// <returns>The buses; <see langword="null"/> where nothing hangs below and none are told.</returns>
    internal PciBusRange? Below(PciFunction function) =>
        ranges.TryGetValue(function.Address, out PciBusRange range) ? range : null;

    private static void RaiseAncestors(TopologySnapshot snapshot, PciFunction function, Dictionary<PciAddress, int> highest)
    {
        for (PciFunction? at = snapshot.ParentOf(function); at is not null; at = snapshot.ParentOf(at))
        {
            highest[at.Address] = Math.Max(highest.GetValueOrDefault(at.Address), function.Address.Bus);
        }
    }

    private void Lead(PciFunction parent, PciFunction child, Dictionary<PciAddress, int> highest)
    {
        bool isBelow = child.Address.Domain == parent.Address.Domain && child.Address.Bus > parent.Address.Bus;
        if (isBelow && !ranges.ContainsKey(parent.Address))
        {
            int last = Math.Max(highest[parent.Address], child.Address.Bus);
            _ = TryTake(parent, new PciBusRange((byte)child.Address.Bus, (byte)last));
        }

        if (!ranges.TryGetValue(parent.Address, out PciBusRange range) || !isBelow || range.Secondary != child.Address.Bus)
        {
            unplaced.Add(child.Place);
        }
    }

    // Two bridges that lead to one bus would make the whole file unreadable; the later one gets none.
    private bool TryTake(PciFunction bridge, PciBusRange range)
    {
        bool isFree = range.Secondary > bridge.Address.Bus
            && range.Subordinate >= range.Secondary
            && taken.Add(new PciBusId(bridge.Address.Domain, range.Secondary));
        if (isFree)
        {
            ranges[bridge.Address] = range;
        }

        return isFree;
    }
}
