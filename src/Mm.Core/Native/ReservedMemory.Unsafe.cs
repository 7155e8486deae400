using System.Runtime.ConstrainedExecution;
using Mm.Core.Checks;

namespace Mm.Core.Native;

/// <summary>One block of memory outside the garbage collector's reach: aligned to 2 MiB, zeroed, touched on demand.</summary>
/// <remarks>
/// Owns the addresses and their entry in <see cref="NativeBytes"/>. Is not responsible for who may touch them when:
/// <see cref="NativeRegion"/> guards bytes with leases, <see cref="NativeTable{T}"/> entries with a bounds check.
/// <para><b>States:</b> live → dropped → released, or live → released. A dropped block has no memory but keeps its
/// addresses until the garbage collector finds nobody who could still use them, so a stale reference into it touches
/// nobody else's memory.</para>
/// <para><b>Invariants:</b> (1) counted in the ledger exactly while live; (2) the addresses are released exactly once;
/// (3) <see cref="Start"/> never changes.</para>
/// <para><b>Locking:</b> atomic state; safe from any thread.</para>
/// </remarks>
internal sealed unsafe class ReservedMemory : CriticalFinalizerObject, IDisposable
{
    /// <summary>The largest block that <see cref="NativeBacking.PinnedHeap"/> takes: 64 MiB.</summary>
    internal const ulong LargestPinnedBlock = 64UL << 20;

    /// <summary>What a freed array is filled with when checks are on.</summary>
    internal const byte Poison = 0xDB;

    private const int Live = 0;
    private const int Dropped = 1;
    private const int Released = 2;

    /// <summary>The <see cref="LeaseWord"/> of the region that owns the block; kept here for the finalizer to see.</summary>
    internal ulong Life;

    private readonly NativeBytes ledger;
    private readonly byte[]? array;
    private readonly CommitMap? commits;
    private int state; // atomic: Live, Dropped, Released

    private ReservedMemory(NativeBytes ledger, byte* start, ulong length, byte[]? array)
    {
        this.ledger = ledger;
        this.array = array;
        Start = start;
        Length = length;
        if (OsMemory.CommitsInChunks && array is null)
        {
            commits = new CommitMap(length / OsMemory.ChunkBytes, CommitChunk);
        }

        ledger.Add(new ByteCount(length));
    }

    // A SafeHandle would do this too, but it closes before a stale reference is known to be gone.
#pragma warning disable MA0055 // a finalizer is what tells that no reference is left
    /// <summary>Releases addresses that nobody can name any more.</summary>
    /// <remarks>
    /// A lease that was never disposed may have left a span behind that the collector cannot see: such a block is
    /// leaked rather than released, and shows in the ledger.
    /// </remarks>
    ~ReservedMemory()
    {
        if (new LeaseWord(Life).OpenLeases == 0)
        {
            ReleaseAddresses();
        }
    }
#pragma warning restore MA0055

    /// <summary>The first address.</summary>
    internal byte* Start { get; }

    /// <summary>The length that was counted, in bytes: what was asked for, rounded up.</summary>
    internal ulong Length { get; }

    /// <summary>Whether the memory was given back.</summary>
    internal bool IsDropped => Volatile.Read(ref state) != Live;

    /// <summary>The array that the block lies in, whose spans outlive it; null for the operating system's memory.</summary>
    internal byte[]? Array => array;

    /// <summary>Where <see cref="Start"/> lies in <see cref="Array"/>, in bytes.</summary>
    internal int ArrayOffset { get; private init; }

    /// <summary>Reserves a block.</summary>
    /// <param name="ledger">The account of the machine.</param>
    /// <param name="length">How many bytes; rounded up to whole chunks, or to 4 KiB in an array.</param>
    /// <param name="backing">Where from.</param>
    /// <param name="hugePages">Whether to ask for huge pages.</param>
    /// <returns>The block, zeroed.</returns>
    /// <exception cref="InsufficientMemoryException">The operating system refuses.</exception>
    internal static ReservedMemory Reserve(NativeBytes ledger, ByteCount length, NativeBacking backing, bool hugePages)
    {
        if (backing == NativeBacking.PinnedHeap && length.Value <= LargestPinnedBlock)
        {
            return ReserveArray(ledger, length.Value);
        }

        ulong rounded = RoundUp(Math.Max(length.Value, 1), OsMemory.ChunkBytes);
        byte* start = OsMemory.Reserve(rounded);
        if (hugePages)
        {
            OsMemory.AdviseHugePages(start, rounded);
        }

        return new ReservedMemory(ledger, start, rounded, array: null);
    }

    /// <summary>Commits bytes before they are touched, on systems that want it. Callers ask <see cref="OsMemory.CommitsInChunks"/> first.</summary>
    /// <param name="offset">The first byte, inside the block.</param>
    /// <param name="length">How many bytes, inside the block.</param>
    internal void EnsureCommitted(ulong offset, ulong length) => commits?.Ensure(offset, length);

    /// <summary>Gives the memory back and keeps the addresses until no reference is left. Once is enough; twice does nothing.</summary>
    internal void Drop()
    {
        if (Interlocked.CompareExchange(ref state, Dropped, Live) != Live)
        {
            return;
        }

        ledger.Subtract(new ByteCount(Length));
        PoisonArray();
        if (array is null)
        {
            // SAFETY: (1) the block is ours until ReleaseAddresses, which only the finalizer calls after this state;
            // (2) Start and Length are those of the reservation.
            OsMemory.Drop(Start, Length);
        }
    }

    /// <summary>Gives memory and addresses back at once. The caller has shown that nobody can touch them any more.</summary>
    public void Dispose()
    {
        PoisonArray();
        ReleaseAddresses();
        GC.SuppressFinalize(this);
    }

    private static ReservedMemory ReserveArray(NativeBytes ledger, ulong length)
    {
        const ulong Alignment = 4096;
        ulong rounded = RoundUp(Math.Max(length, 1), Alignment);
        byte[] pinned = GC.AllocateArray<byte>(checked((int)(rounded + Alignment)), pinned: true);

        // SAFETY: the array is pinned for its whole life, and this object holds it, so its address stays good.
        byte* raw = (byte*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0);
        ulong head = unchecked(0UL - (ulong)raw) & (Alignment - 1); // wraps on purpose: distance up to alignment
        return new ReservedMemory(ledger, raw + head, rounded, pinned) { ArrayOffset = (int)head };
    }

    private static ulong RoundUp(ulong value, ulong step) => checked(value + step - 1) & ~(step - 1);

    private void CommitChunk(ulong chunk) => OsMemory.Commit(Start + (chunk * OsMemory.ChunkBytes), OsMemory.ChunkBytes);

    private void PoisonArray()
    {
        if (Check.Enabled)
        {
            array.AsSpan().Fill(Poison);
        }
    }

    private void ReleaseAddresses()
    {
        int before = Interlocked.Exchange(ref state, Released);
        if (before == Live)
        {
            ledger?.Subtract(new ByteCount(Length));
        }

        if (before != Released && array is null && Start is not null)
        {
            // SAFETY: (1) the exchange lets one caller through; (2) that caller is the finalizer, or Dispose, whose
            // callers have closed the block to everybody else.
            OsMemory.Release(Start, Length);
        }
    }
}
