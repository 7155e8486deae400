namespace Mm.Devices.Rdma;

/// <summary>By what right a region reaches its memory, and what happens when the memory goes elsewhere.</summary>
/// <remarks><b>Linux:</b> ib_umem_get, ib_umem_odp_get and ib_umem_odp_alloc_implicit, ib_umem_dmabuf_get and its pinned
/// forms (v6.12); PeerDirect is out of the tree.</remarks>
public enum RegionContract
{
    /// <summary>A process's pages, pinned for the region's life.</summary>
    Pinned = 0,

    /// <summary>Memory of a peer's driver, which may take it away: the region is destroyed at once, its key stays taken.</summary>
    Peer = 1,

    /// <summary>A process's pages, faulted in on use and given up when the process changes them.</summary>
    OnDemand = 2,

    /// <summary>As on demand, for all addresses of the process.</summary>
    Implicit = 3,

    /// <summary>A shared buffer that may move: mapped anew on the next use.</summary>
    Buffer = 4,

    /// <summary>A shared buffer that is pinned: it cannot move.</summary>
    BufferPinned = 5,

    /// <summary>A shared buffer that is pinned and may be taken away: the region is revoked, its key stays taken.</summary>
    BufferRevocable = 6,
}
