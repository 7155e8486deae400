using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Pagemaps;
using Mm.Core.PhysRanges;

namespace Mm.P2pDma.Providers;

/// <summary>A part of a BAR that was given to peer-to-peer DMA with page descriptors.</summary>
/// <remarks>
/// Owns the uses of its page map. Who may use which part is a pool's matter; how peers reach it is the
/// <see cref="Provider"/>'s, which it shares with the rest of the BAR.
/// <para><b>Linux:</b> struct pci_p2pdma_pagemap and the percpu reference of its dev_pagemap (v6.12).</para>
/// <para><b>States:</b> those of <see cref="Pages"/>: live → dying (nothing new; what is in use stays) → dead.</para>
/// <para><b>Invariants:</b> (1) references are only taken while live; (2) each is one use of the page map.</para>
/// <para><b>Locking:</b> a lock of its own, rank Leaf; the page map is called without it.</para>
/// </remarks>
public sealed class PeerPagemap
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Stack<PagemapRef> uses = new(); // protected by gate
    private readonly PagemapRegistry registry;
    private int isKilled; // atomic: 0 → 1 once

    internal PeerPagemap(BarProvider provider, PhysRange range, Pagemap pages, PeerPageReturns returns, PagemapRegistry registry)
    {
        Returns = returns;
        this.registry = registry;
        Provider = provider;
        Range = range;
        Pages = pages;
        Owner = RangeOwner.ForPagemap($"{provider.Name} page map {range}", provider);
    }

    /// <summary>How peers reach it.</summary>
    public BarProvider Provider { get; }

    /// <summary>Its addresses; whole granules of 2 MiB.</summary>
    public PhysRange Range { get; }

    /// <summary>Its page descriptors.</summary>
    public Pagemap Pages { get; }

    /// <summary>What lists carry for its ranges.</summary>
    public RangeOwner Owner { get; }

    /// <summary>Whether it can still be taken from.</summary>
    public bool IsLive => Pages.State == PagemapState.Live;

    /// <summary>Whether it ended and nothing of it is in use.</summary>
    public bool IsDead => Pages.State == PagemapState.Dead;

    /// <summary>How many uses there are: one for each allocation, one for each page that a process maps.</summary>
    public long References
    {
        get
        {
            using (gate.Enter())
            {
                return uses.Count;
            }
        }
    }

    /// <summary>Who hears of pages that processes no longer map.</summary>
    internal PeerPageReturns Returns { get; }

    /// <summary>Takes a reference, unless it is ending.</summary>
    internal bool TryTakeReference()
    {
        if (!registry.TryFind(Range.Start.Pfn, out PagemapRef use))
        {
            return false;
        }

        if (use.Map != Pages)
        {
            use.Dispose(); // this one is dead, and its frames belong to another map now
            return false;
        }

        using (gate.Enter())
        {
            uses.Push(use);
        }

        return true;
    }

    /// <summary>Gives a reference back; the last one of an ending page map ends it.</summary>
    internal void PutReference()
    {
        PagemapRef use;
        using (gate.Enter())
        {
            Check.That(uses.Count > 0, $"{Owner}: a reference was given back twice");
            use = uses.Pop(); // any of them: they are alike
        }

        use.Dispose();
    }

    /// <summary>Ends it for whoever comes new.</summary>
    internal void Kill()
    {
        if (Interlocked.Exchange(ref isKilled, 1) == 0)
        {
            Pages.Unmap();
        }
    }
}
