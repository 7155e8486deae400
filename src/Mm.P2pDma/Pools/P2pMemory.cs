using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Providers;

namespace Mm.P2pDma.Pools;

/// <summary>Peer memory taken from a pool: a lease of whole pages.</summary>
/// <remarks>
/// Disposing gives the pages back; doing so twice is safe. Whoever maps them keeps the lease until unmapped.
/// <para><b>Linux:</b> the result of pci_alloc_p2pmem, up to pci_free_p2pmem (v6.12).</para>
/// <para><b>Invariants:</b> (1) while it is held, its page map does not die.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class P2pMemory : IDisposable
{
    private readonly P2pMemPool pool;
    private readonly P2pMemChunk chunk;
    private int isHeld = 1; // atomic: 1 → 0 once

    internal P2pMemory(P2pMemPool pool, P2pMemChunk chunk, PhysRange pages, ByteCount length)
    {
        this.pool = pool;
        this.chunk = chunk;
        Pages = pages;
        Range = pages.Slice(ByteCount.Zero, length);
    }

    /// <summary>The addresses that were asked for, to the byte.</summary>
    public PhysRange Range { get; }

    /// <summary>The whole pages that were taken.</summary>
    public PhysRange Pages { get; }

    /// <summary>The page map that they are of.</summary>
    public PeerPagemap Pagemap => chunk.Pagemap;

    /// <summary>What lists carry for the range.</summary>
    public RangeOwner Owner => Pagemap.Owner;

    /// <summary>What a peer puts on the bus for the first byte.</summary>
    /// <remarks><b>Linux:</b> pci_p2pmem_virt_to_bus (v6.12).</remarks>
    public DmaAddr BusAddress => Pagemap.Provider.ToBusAddress(Range.Start);

    /// <summary>Whether it is still held.</summary>
    public bool IsHeld => Volatile.Read(ref isHeld) != 0;

    /// <summary>Gives the pages back.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isHeld, 0) != 0)
        {
            pool.Free(chunk, Pages);
        }
    }

    /// <summary>The addresses and whose they are.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Range} of {Pagemap.Provider.Name}";
}
