using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;

namespace Mm.P2pDma.Providers;

/// <summary>A part of a BAR that was given to peer-to-peer DMA with page descriptors.</summary>
/// <remarks>
/// Owns the count of what is in use of it. Who may use which part is a pool's matter; how peers reach it is the
/// <see cref="Provider"/>'s, which it shares with the rest of the BAR.
/// <para><b>Linux:</b> struct pci_p2pdma_pagemap and the percpu reference of its dev_pagemap (v6.12).</para>
/// <para><b>States:</b> live → dying (nothing new; what is in use stays) → dead, when the last reference is gone.</para>
/// <para><b>Invariants:</b> (1) references are only taken while live; (2) dead means no references, for good.</para>
/// <para><b>Locking:</b> a lock of its own, rank Leaf.</para>
/// </remarks>
public sealed class PeerPagemap
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private long references; // protected by gate
    private bool isDying; // protected by gate

    internal PeerPagemap(BarProvider provider, PhysRange range)
    {
        Provider = provider;
        Range = range;
        Owner = RangeOwner.ForPagemap($"{provider.Name} page map {range}", provider);
    }

    /// <summary>How peers reach it.</summary>
    public BarProvider Provider { get; }

    /// <summary>Its addresses; whole granules of 2 MiB.</summary>
    public PhysRange Range { get; }

    /// <summary>What lists carry for its ranges.</summary>
    public RangeOwner Owner { get; }

    /// <summary>Whether it can still be taken from.</summary>
    public bool IsLive
    {
        get
        {
            using (gate.Enter())
            {
                return !isDying;
            }
        }
    }

    /// <summary>Whether it ended and nothing of it is in use.</summary>
    public bool IsDead
    {
        get
        {
            using (gate.Enter())
            {
                return isDying && references == 0;
            }
        }
    }

    /// <summary>How many uses there are: one for each allocation, one for each page that a process maps.</summary>
    public long References
    {
        get
        {
            using (gate.Enter())
            {
                return references;
            }
        }
    }

    /// <summary>Takes a reference, unless it is ending.</summary>
    internal bool TryTakeReference()
    {
        using (gate.Enter())
        {
            references += isDying ? 0 : 1;
            return !isDying;
        }
    }

    /// <summary>Gives a reference back.</summary>
    internal void PutReference()
    {
        using (gate.Enter())
        {
            Check.That(references > 0, $"{Owner}: a reference was given back twice");
            references--;
        }
    }

    /// <summary>Ends it for whoever comes new.</summary>
    internal void Kill()
    {
        using (gate.Enter())
        {
            isDying = true;
        }
    }
}
