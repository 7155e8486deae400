using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Buffers;

/// <summary>The shared buffers of a machine that are alive, and what they are made with.</summary>
/// <remarks>
/// Owns the list and the next number, not the buffers: those live by their handles.
/// <para><b>Linux:</b> debugfs_list and dmabuf_inode of drivers/dma-buf/dma-buf.c (v6.12).</para>
/// <para><b>Invariants:</b> (1) a buffer is here from its export to its release; (2) no number is given twice.</para>
/// <para><b>Locking:</b> one lock, rank Leaf.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class BufferRegistry
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<DmaBuffer> live = []; // protected by gate
    private ulong lastNumber; // atomic

    /// <summary>Starts the buffers of a machine.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="contexts">The fences' contexts.</param>
    public BufferRegistry(Machine machine, FenceContexts contexts)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(contexts);
        Machine = machine;
        Contexts = contexts;
    }

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>The contexts of its fences.</summary>
    public FenceContexts Contexts { get; }

    /// <summary>How many buffers are alive.</summary>
    public int Count
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return live.Count;
        }
    }

    /// <summary>The buffers that are alive, in the order of their numbers.</summary>
    /// <returns>A copy.</returns>
    public IReadOnlyList<DmaBuffer> Collect()
    {
        using RankedLock.Guard held = gate.Enter();
        return [.. live];
    }

    /// <summary>Recounts what every buffer says of itself. Wants the machine at rest.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate()
    {
        foreach (DmaBuffer buffer in Collect())
        {
            buffer.Validate();
        }
    }

    internal ulong NextNumber() => Interlocked.Increment(ref lastNumber);

    internal void Add(DmaBuffer buffer)
    {
        using RankedLock.Guard held = gate.Enter();
        live.Add(buffer);
    }

    internal void Remove(DmaBuffer buffer)
    {
        using RankedLock.Guard held = gate.Enter();
        Check.That(live.Remove(buffer), $"{buffer} leaves the registry once");
    }
}
