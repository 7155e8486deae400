using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Puts what a configuration space says on top of what another source said of the same function.</summary>
internal static class PciConfigFunction
{
    /// <summary>Merges: the bytes win where they know, the other source fills the rest.</summary>
    /// <param name="other">What the other source says; at least the address.</param>
    /// <param name="space">What the bytes say.</param>
    /// <param name="position">Where the function stands.</param>
    /// <param name="log">Where notes go.</param>
    /// <returns>The function.</returns>
    internal static PciFunction Merge(PciFunction other, PciConfigSpace space, ImportPosition position, ImportLog log)
    {
        if (space.TotalVirtualFunctions is > 0)
        {
            log.Note(position, $"{other.Address} can have {space.TotalVirtualFunctions} virtual functions (SR-IOV)");
        }

        if (space.CxlCapabilities is { } cxl)
        {
            log.Note(position, $"{other.Address} is a CXL device{((cxl & 4) != 0 ? " with memory (CXL.mem)" : "")}");
        }

        return other with
        {
            Id = space.Id ?? other.Id,
            SubsystemId = space.SubsystemId ?? other.SubsystemId,
            Class = space.Class ?? other.Class,
            PortType = space.PortType != PciPortType.Unknown ? space.PortType : other.PortType,
            Acs = space.Acs.IsKnown ? space.Acs : other.Acs,
            Link = Merge(other.Link, space.Express?.Link ?? default),
            BusesBelow = space.Bridge is { Secondary: > 0 } bridge
                ? new PciBusRange(bridge.Secondary, bridge.Subordinate)
                : other.BusesBelow,
            Bars = MergeBars(other.Bars, space.Bars),
        };
    }

    private static PciLink Merge(PciLink other, PciLink bytes) => new(
        bytes.Capable.IsKnown ? bytes.Capable : other.Capable,
        bytes.Current.IsKnown ? bytes.Current : other.Current);

    // The other source knows sizes and the CPU's addresses, the register the bus's address; a BAR that only one of them has stays.
    private static List<PciBar> MergeBars(IReadOnlyList<PciBar> others, IReadOnlyList<PciBar> registers)
    {
        var bars = new SortedDictionary<int, PciBar>();
        foreach (PciBar register in registers)
        {
            bars[register.Index] = register;
        }

        foreach (PciBar other in others)
        {
            if (!bars.TryGetValue(other.Index, out PciBar register))
            {
                bars[other.Index] = other;
                continue;
            }

            PhysAddr? address = other.Address ?? register.Address;
            ByteCount? size = other.Size ?? register.Size;
            bool fits = address is not { } start || size is not { } length || PhysRange.TryCreate(start, length, out _);
            bool isTranslated = other.Address is { } cpu && register.Address is { } bus && cpu.Value != bus.Value;
            bars[other.Index] = new PciBar(
                other.Index, address, fits ? size : null, register.Flags | (other.Flags & PciBarFlags.Disabled))
            {
                BusAddress = isTranslated ? new DmaAddr(register.Address!.Value.Value) : null,
            };
        }

        return [.. bars.Values];
    }
}
