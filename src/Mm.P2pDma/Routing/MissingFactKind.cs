namespace Mm.P2pDma.Routing;

/// <summary>What kind of fact a verdict would have asked for and the topology does not know.</summary>
public enum MissingFactKind
{
    /// <summary>No fact.</summary>
    None = 0,

    /// <summary>A function's ACS control.</summary>
    Acs,

    /// <summary>The CPU of a host.</summary>
    Cpu,

    /// <summary>Which host bridge a function is below.</summary>
    HostBridge,

    /// <summary>The first device of a root bus, its identity, or whether it is a root port.</summary>
    FirstDevice,

    /// <summary>Ports between the listed functions, with their ACS.</summary>
    Ports,
}
