namespace Mm.P2pDma.Topologies;

/// <summary>Why a topology, or an edit of one, is refused.</summary>
public enum TopologyDefectKind
{
    /// <summary>Nothing is wrong.</summary>
    None = 0,

    /// <summary>Two functions of a host have one address.</summary>
    DuplicateFunction,

    /// <summary>Two host bridges of a host have one root bus.</summary>
    DuplicateHostBridge,

    /// <summary>Two NUMA nodes of a host have one number.</summary>
    DuplicateNode,

    /// <summary>Two hosts have one identity.</summary>
    DuplicateHost,

    /// <summary>A function has two BARs of one index.</summary>
    DuplicateBar,

    /// <summary>The parent that a function names does not exist.</summary>
    MissingParent,

    /// <summary>The host bridge that a function names does not exist.</summary>
    MissingHostBridge,

    /// <summary>The host that something names does not exist.</summary>
    MissingHost,

    /// <summary>The function that an edit names does not exist.</summary>
    MissingFunction,

    /// <summary>Following parents never ends.</summary>
    Cycle,

    /// <summary>A function hangs below one that is no bridge.</summary>
    ParentIsNoBridge,

    /// <summary>A function names another host bridge than its parent's.</summary>
    HostBridgeDiffersFromParent,

    /// <summary>More levels than any tree of 256 buses can have.</summary>
    TooDeep,

    /// <summary>An edit would change where a function hangs.</summary>
    PlaceChanged,
}
