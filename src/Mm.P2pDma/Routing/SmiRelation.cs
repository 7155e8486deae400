namespace Mm.P2pDma.Routing;

/// <summary>How near two functions are, in the words of <c>nvidia-smi topo -m</c>. It says nothing of what a kernel allows.</summary>
public enum SmiRelation
{
    /// <summary>Nothing is known, or different machines.</summary>
    None = 0,

    /// <summary>X: the function itself.</summary>
    Self,

    /// <summary>PIX: at most one switch or bridge in between.</summary>
    Pix,

    /// <summary>PXB: several switches or bridges, no host bridge.</summary>
    Pxb,

    /// <summary>PHB: a host bridge.</summary>
    Phb,

    /// <summary>NODE: two host bridges of one NUMA node.</summary>
    Node,

    /// <summary>SYS: two NUMA nodes.</summary>
    Sys,
}
