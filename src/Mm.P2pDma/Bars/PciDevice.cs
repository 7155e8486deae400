using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Bars;

/// <summary>A function of a topology that is part of a machine: its identity there, and its windows.</summary>
/// <remarks>
/// Owns nothing that others may not ask for: its windows belong to the machine's address map.
/// <para><b>Linux:</b> struct pci_dev as a driver holds it (v6.12).</para>
/// <para><b>States:</b> present → removed, once. A function that comes back at the same place is another device.</para>
/// <para><b>Locking:</b> immutable but for the state; safe from any thread.</para>
/// </remarks>
public sealed class PciDevice
{
    private volatile bool isRemoved;

    internal PciDevice(DeviceId id, PciFunction function, IReadOnlyList<BarWindow> windows)
    {
        Id = id;
        Function = function;
        Windows = windows;
    }

    /// <summary>Its identity in the machine.</summary>
    public DeviceId Id { get; }

    /// <summary>Where it is in the topology.</summary>
    public PciPlace Place => Function.Place;

    /// <summary>What was known of it when it came.</summary>
    public PciFunction Function { get; }

    /// <summary>Its memory BARs, with the window of each that the machine has.</summary>
    public IReadOnlyList<BarWindow> Windows { get; }

    /// <summary>Whether it is still there.</summary>
    public bool IsPresent => !isRemoved;

    /// <summary>Finds a memory BAR.</summary>
    /// <param name="bar">The BAR's index.</param>
    /// <param name="window">The BAR and its window, or <c>default</c>.</param>
    /// <returns>Whether the function has such a memory BAR.</returns>
    public bool TryGetWindow(int bar, out BarWindow window)
    {
        foreach (BarWindow candidate in Windows)
        {
            if (candidate.Bar.Index == bar)
            {
                window = candidate;
                return true;
            }
        }

        window = default;
        return false;
    }

    /// <summary>The function and its identity.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Function} ({Id})";

    internal void MarkRemoved() => isRemoved = true;
}
