using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Mm.Core.Native;

/// <summary>A table of fixed capacity in one reserved range of addresses: entries are zero until written, and cost memory only where touched.</summary>
/// <remarks>
/// Owns the memory. Is not responsible for what entries mean or who may change them at the same time: that is the room's
/// that owns the table.
/// <para><b>Linux:</b> the vmemmap of sparsemem (v6.12), where page N is entry N of one virtual array.</para>
/// <para><b>Invariants:</b> (1) every reference handed out points into this table's own addresses; (2) after
/// <see cref="Dispose"/> no index is legal, and a reference taken before still points at addresses that nobody else has,
/// until the table itself is unreachable.</para>
/// <para><b>Locking:</b> the caller's, for entries; the table itself never changes but for its end.</para>
/// </remarks>
/// <typeparam name="T">The entry: no references in it.</typeparam>
internal sealed unsafe class NativeTable<T> : IDisposable
    where T : unmanaged
{
    private readonly T* start;
    private readonly ReservedMemory memory;
    private ulong capacity; // 0 after Dispose: makes every index illegal with the one compare there is

    /// <summary>Reserves a table.</summary>
    /// <param name="ledger">The account of the machine.</param>
    /// <param name="capacity">How many entries.</param>
    /// <param name="backing">Where the memory comes from.</param>
    /// <param name="hugePages">Whether to ask for huge pages: faster when dense, 2 MiB at a time when sparse.</param>
    /// <exception cref="OverflowException">The entries together exceed 2^64 bytes.</exception>
    /// <exception cref="InsufficientMemoryException">The operating system refuses.</exception>
    internal NativeTable(
        NativeBytes ledger,
        ulong capacity,
        NativeBacking backing = NativeBacking.OperatingSystem,
        bool hugePages = false)
    {
        // SAFETY (of every access below): (1) memory spans capacity * sizeof(T) bytes, checked here against overflow;
        // (2) the addresses stay reserved while this object is reachable (ReservedMemory, "dropped").
        memory = ReservedMemory.Reserve(ledger, new ByteCount(checked(capacity * (ulong)sizeof(T))), backing, hugePages);
        start = (T*)memory.Start;
        this.capacity = capacity;
    }

    /// <summary>How many entries; zero after <see cref="Dispose"/>.</summary>
    internal ulong Capacity => capacity;

    /// <summary>One entry, in place.</summary>
    /// <param name="index">Which, below <see cref="Capacity"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="index"/> is not below <see cref="Capacity"/>.</exception>
    /// <exception cref="ObjectDisposedException">The table is disposed.</exception>
    internal ref T this[ulong index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (index >= capacity)
            {
                ThrowOutside(index);
            }

            if (OsMemory.CommitsInChunks)
            {
                memory.EnsureCommitted(index * (ulong)sizeof(T), (ulong)sizeof(T));
            }

            // SAFETY: index is below capacity; see the constructor. Unchecked, because the constructor has shown that
            // capacity * sizeof(T) fits, and an overflow check would double the cost of this line.
            unchecked
            {
                return ref start[index];
            }
        }
    }

    /// <summary>Neighbouring entries, in place.</summary>
    /// <param name="index">The first.</param>
    /// <param name="count">How many; all below <see cref="Capacity"/>.</param>
    /// <returns>The entries; to be used at once and not kept past the table's end.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Not all of them are below <see cref="Capacity"/>.</exception>
    /// <exception cref="ObjectDisposedException">The table is disposed.</exception>
    internal Span<T> Slice(ulong index, int count)
    {
        ulong limit = capacity;
        if (count < 0 || index > limit || (ulong)count > limit - index)
        {
            ThrowOutside(index, count);
        }

        if (OsMemory.CommitsInChunks)
        {
            memory.EnsureCommitted(index * (ulong)sizeof(T), (ulong)count * (ulong)sizeof(T));
        }

        // SAFETY: index + count is at most capacity; see the constructor.
        return new Span<T>(start + index, count);
    }

    /// <summary>Tells the processor that an entry will be wanted soon. Any index is legal; those outside do nothing of use.</summary>
    /// <param name="index">Which entry.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Prefetch(ulong index)
    {
        if (Sse.IsSupported)
        {
            // SAFETY: a prefetch never faults and reads nothing that the program can see, wherever it points; the
            // address is computed without overflow checks for the same reason.
            Sse.Prefetch0(unchecked((byte*)start + (index * (ulong)sizeof(T))));
        }
    }

    /// <summary>Gives the memory back; no index is legal afterwards. Twice does nothing.</summary>
    public void Dispose()
    {
        Volatile.Write(ref capacity, 0);
        memory.Drop();
    }

    [DoesNotReturn]
    private void ThrowOutside(ulong index, int count = 1)
    {
        ObjectDisposedException.ThrowIf(memory.IsDropped, this);
        throw new ArgumentOutOfRangeException(
            nameof(index), index, $"index must be in [0, {capacity}); {count} entries at {index} were asked for");
    }
}
