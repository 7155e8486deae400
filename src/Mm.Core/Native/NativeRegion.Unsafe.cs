using System.Diagnostics.CodeAnalysis;
using Mm.Core.Checks;

namespace Mm.Core.Native;

/// <summary>Bytes that the garbage collector does not move: what lies behind RAM, a BAR, or a device's own memory.</summary>
/// <remarks>
/// Owns the memory; hands its bytes out as <see cref="SpanLease"/> only. Knows no physical address: an address map or a
/// device says where the region is seen, if anywhere.
/// <para><b>States:</b> open → closed by <see cref="Dispose"/>; the memory goes with the last lease. See <see cref="LeaseWord"/>.</para>
/// <para><b>Invariants:</b> (1) while a lease is open its bytes are this region's; (2) no lease opens after
/// <see cref="Dispose"/>; (3) the memory is released exactly once.</para>
/// <para><b>Locking:</b> atomic; safe from any thread. Concurrent writers of one byte see what hardware shows.</para>
/// </remarks>
public sealed unsafe partial class NativeRegion : IDisposable
{
    private const ulong PieceBytes = 1UL << 30; // what TryLeaseAround borrows at once: its end has an index below 2^31

    private readonly ReservedMemory memory;
    private readonly LeaseTickets tickets = new();

    internal NativeRegion(
        NativeBytes ledger,
        ByteCount length,
        NativeBacking backing = NativeBacking.OperatingSystem,
        bool hugePages = false)
    {
        memory = ReservedMemory.Reserve(ledger, length, backing, hugePages);
        Length = length;
    }

    /// <summary>How many bytes.</summary>
    public ByteCount Length { get; }

    /// <summary>How many leases are open.</summary>
    public ulong OpenLeases => new LeaseWord(Volatile.Read(ref memory.Life)).OpenLeases;

    /// <summary>Whether the owner has disposed it; leases taken before may still be open.</summary>
    public bool IsClosed => new LeaseWord(Volatile.Read(ref memory.Life)).IsClosed;

    /// <summary>Borrows bytes.</summary>
    /// <param name="offset">The first byte, counted from the region's start.</param>
    /// <param name="length">How many bytes; below 2 GiB, and not past the region's end.</param>
    /// <returns>The lease; the caller disposes it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not lie in the region, or are too many for one span.</exception>
    /// <exception cref="ObjectDisposedException">The region is disposed.</exception>
    public SpanLease Lease(ByteCount offset, ByteCount length)
    {
        ObjectDisposedException.ThrowIf(!TryLease(offset, length, out SpanLease lease), this);
        return lease;
    }

    /// <summary>Closes the region: no lease opens any more, and the memory goes when the last one ends. Twice does nothing.</summary>
    public void Dispose()
    {
        LeaseWord before;
        LeaseWord after;
        do
        {
            before = new LeaseWord(Volatile.Read(ref memory.Life));
            if (!before.TryClose(out after))
            {
                return;
            }
        }
        while (!TryReplaceLife(before, after));

        ReleaseIfEnded(after);
    }

    /// <summary>Borrows bytes unless the region is closed.</summary>
    /// <param name="offset">The first byte, counted from the region's start.</param>
    /// <param name="length">How many bytes; below 2 GiB, and not past the region's end.</param>
    /// <param name="lease">The lease, or one of no bytes when refused.</param>
    /// <returns>False when the region is closed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not lie in the region, or are too many for one span.</exception>
    internal bool TryLease(ByteCount offset, ByteCount length, out SpanLease lease)
    {
        if (offset > Length || length.Value > Length.Value - offset.Value || length.Value > int.MaxValue)
        {
            ThrowOutside(offset, length);
        }

        lease = default;
        if (!TryOpenLife())
        {
            return false;
        }

        try
        {
            if (OsMemory.CommitsInChunks)
            {
                memory.EnsureCommitted(offset.Value, length.Value);
            }

            lease = new SpanLease(this, tickets.Take(), BytesAt(offset.Value, (int)length.Value));
            return true;
        }
        catch
        {
            EndLife(); // counted, but not handed out
            throw;
        }
    }

    /// <summary>Borrows bytes and what lies around them, unless the region is closed: aligned pieces of 1 GiB.</summary>
    /// <param name="offset">The first byte that is wanted, counted from the region's start.</param>
    /// <param name="length">How many are.</param>
    /// <param name="lease">The lease, or one of no bytes when refused.</param>
    /// <param name="start">Where the lease begins, at or below the offset.</param>
    /// <returns>False when the region is closed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not lie in the region, or are too many for one span.</exception>
    /// <remarks>Where memory is committed as it is leased, only what is wanted.</remarks>
    internal bool TryLeaseAround(ByteCount offset, ByteCount length, out SpanLease lease, out ByteCount start)
    {
        ulong first = offset.Value & ~(PieceBytes - 1);
        bool isInPiece = offset.Value < Length.Value && length.Value <= PieceBytes - (offset.Value - first);
        if (OsMemory.CommitsInChunks || !isInPiece)
        {
            start = offset;
            return TryLease(offset, length, out lease);
        }

        start = new ByteCount(first);
        ulong end = Math.Max(Math.Min(Length.Value, first + PieceBytes), offset.Value + length.Value);
        return TryLease(start, new ByteCount(end - first), out lease);
    }

    /// <summary>Borrows bytes for longer, unless the region is closed.</summary>
    /// <param name="offset">The first byte, counted from the region's start.</param>
    /// <param name="length">How many bytes; below 2 GiB, and not past the region's end.</param>
    /// <param name="bytes">The bytes, which the caller disposes; null when refused.</param>
    /// <returns>False when the region is closed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not lie in the region, or are too many for one span.</exception>
    internal bool TryOpenMemory(ByteCount offset, ByteCount length, out RegionMemory? bytes)
    {
        bytes = null;
        if (!TryLease(offset, length, out SpanLease lease))
        {
            return false;
        }

        // The lease shows that the bytes are there, and keeps the region open until its life counts the memory, too.
        bool isOpen = TryOpenLife();
        lease.Dispose();
        bytes = isOpen ? new RegionMemory(this, offset, (int)length.Value) : null;
        return isOpen;
    }

    /// <summary>The bytes of a <see cref="RegionMemory"/>, which keeps the region open.</summary>
    internal Span<byte> SpanOf(ByteCount offset, int length) => BytesAt(offset.Value, length);

    /// <summary>Ends a <see cref="RegionMemory"/>.</summary>
    internal void EndMemory() => EndLife();

    /// <summary>Ends a lease whose ticket its holder has just ended.</summary>
    /// <param name="ticket">The ticket, to be used again.</param>
    internal void EndLease(LeaseTicket ticket)
    {
        tickets.Return(ticket);
        EndLife();
    }

    private bool TryOpenLife()
    {
        LeaseWord before;
        LeaseWord after;
        do
        {
            before = new LeaseWord(Volatile.Read(ref memory.Life));
            if (!before.TryOpen(out after))
            {
                return false;
            }
        }
        while (!TryReplaceLife(before, after));

        return true;
    }

    private void EndLife()
    {
        LeaseWord before;
        LeaseWord after;
        do
        {
            before = new LeaseWord(Volatile.Read(ref memory.Life));
            Check.That(before.TryEnd(out after), "invariant 2 of LeaseWord: a lease ended that was not open");
        }
        while (!TryReplaceLife(before, after));

        ReleaseIfEnded(after);
    }

    // A full fence: what the holder wrote through its lease comes before the release of the memory.
    private bool TryReplaceLife(LeaseWord before, LeaseWord after) =>
        Interlocked.CompareExchange(ref memory.Life, after.Bits, before.Bits) == before.Bits;

    private void ReleaseIfEnded(LeaseWord word)
    {
        if (word.IsEnded)
        {
            memory.Dispose();
        }
    }

    private Span<byte> BytesAt(ulong offset, int length)
    {
        if (memory.Array is { } array)
        {
            return array.AsSpan(memory.ArrayOffset + (int)offset, length);
        }

        // SAFETY: (1) Lease has shown that [offset, offset+length) lies in the region, and the block is at least as long;
        // (2) the lease counted in the life word keeps the block from being released, by the finalizer too.
        return new Span<byte>(memory.Start + offset, length);
    }

    [DoesNotReturn]
    private void ThrowOutside(ByteCount offset, ByteCount length) =>
        throw new ArgumentOutOfRangeException(
            nameof(length),
            length,
            $"bytes [0x{offset.Value:x}, +0x{length.Value:x}) must lie in [0x0, 0x{Length.Value:x}) and be fewer than 2 GiB");
}
