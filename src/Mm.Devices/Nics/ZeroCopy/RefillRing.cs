using Mm.Core.Locking;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>The ring by which a user gives buffers back without a call: he writes entries and moves the tail.</summary>
/// <remarks>
/// Owns the entries. The user may write anything at any time; the reader trusts nothing.
/// <para><b>Linux:</b> the refill ring of an interface queue (io_uring/zcrx.c, v6.15), in memory that both see.</para>
/// <para><b>Invariants:</b> (1) in one go no more entries are read than the ring has, however far the tail is.</para>
/// <para><b>Locking:</b> head and tail are atomic: one writer, and readers who keep each other out.</para>
/// </remarks>
public sealed class RefillRing
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly RefillEntry[] entries; // protected by gate, as memory that two sides see has no torn words here
    private uint head; // the reader's; pairs with the acquire in Head
    private uint tail; // the writer's; pairs with the acquire in CollectCount

    internal RefillRing(int capacity) => entries = new RefillEntry[capacity];

    /// <summary>How many entries it has; a power of two.</summary>
    public int Capacity => entries.Length;

    /// <summary>How far it was read.</summary>
    public uint Head => Volatile.Read(ref head);

    /// <summary>How far it was written: what the user says.</summary>
    public uint Tail
    {
        get => Volatile.Read(ref tail);
        set => Volatile.Write(ref tail, value);
    }

    /// <summary>An entry, by its number modulo the capacity.</summary>
    /// <param name="number">The number.</param>
    /// <returns>The entry.</returns>
    public RefillEntry this[uint number]
    {
        get
        {
            using (gate.Enter())
            {
                return entries[number & (uint)(entries.Length - 1)];
            }
        }

        set
        {
            using (gate.Enter())
            {
                entries[number & (uint)(entries.Length - 1)] = value;
            }
        }
    }

    /// <summary>Writes one entry and moves the tail over it.</summary>
    /// <param name="entry">The entry.</param>
    /// <returns>Whether there was room.</returns>
    public bool TryPush(RefillEntry entry)
    {
        uint at = Tail;
        if (unchecked(at - Head) >= (uint)Capacity) // modulo 2^32, as both numbers run on
        {
            return false;
        }

        this[at] = entry;
        Tail = unchecked(at + 1);
        return true;
    }

    /// <summary>How many entries can be read.</summary>
    internal uint CountReady() => Math.Min(unchecked(Tail - head), (uint)Capacity);

    /// <summary>Reads the next one.</summary>
    internal RefillEntry Read()
    {
        RefillEntry entry = this[head];
        Volatile.Write(ref head, unchecked(head + 1));
        return entry;
    }
}
