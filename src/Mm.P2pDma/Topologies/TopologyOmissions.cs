namespace Mm.P2pDma.Topologies;

/// <summary>What the source of a topology leaves out of the PCI tree as a rule.</summary>
[Flags]
public enum TopologyOmissions
{
    /// <summary>Nothing: every port and bridge between a function and its root bus is there.</summary>
    None = 0,

    /// <summary>
    /// Ports between functions (root ports, switch downstream ports): distances are lower bounds, and the ACS of what is
    /// missing is not known. NCCL and RCCL files do this.
    /// </summary>
    Ports = 1,
}
