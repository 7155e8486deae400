using Mm.Core.Native;

namespace Mm.Core;

/// <summary>The bytes at a machine's physical addresses, for the rooms that borrow them.</summary>
/// <remarks>Owns nothing: the address map's regions own the bytes. Immutable; safe from any thread.</remarks>
/// <param name="map">What lies where.</param>
/// <param name="memory">How to reserve bytes that nobody asked for before.</param>
internal sealed class PhysicalBytes(AddressMap map, MachineMemory memory)
{
    /// <summary>Borrows bytes for longer, as memory that .NET can keep.</summary>
    /// <param name="range">The addresses; inside one region of RAM or one window, fewer than 2^31.</param>
    /// <param name="bytes">The bytes, or null when refused; the caller disposes them.</param>
    /// <returns><see cref="Errno.ENXIO"/>: nothing that a CPU can reach lies there, or not all of it in one region.</returns>
    internal Errno TryOpenMemory(PhysRange range, out RegionMemory? bytes)
    {
        bytes = null;
        if (!map.TryFind(range.Start, out AddressRegion? region) || !region.Range.Contains(range))
        {
            return Errno.ENXIO;
        }

        var offset = new ByteCount(range.Start.Value - region.Range.Start.Value);
        return region.Bytes(memory)?.TryOpenMemory(offset, range.Length, out bytes) == true ? Errno.Ok : Errno.ENXIO;
    }

    /// <summary>Borrows bytes.</summary>
    /// <param name="range">The addresses; inside one region of RAM or one window, fewer than 2^31.</param>
    /// <param name="lease">The bytes, or none when refused; the caller disposes it.</param>
    /// <returns><see cref="Errno.ENXIO"/>: nothing that a CPU can reach lies there, or not all of it in one region.</returns>
    internal Errno TryLease(PhysRange range, out SpanLease lease)
    {
        lease = default;
        if (!map.TryFind(range.Start, out AddressRegion? region) || !region.Range.Contains(range))
        {
            return Errno.ENXIO;
        }

        if (region.Bytes(memory) is not { } bytes)
        {
            return Errno.ENXIO;
        }

        return bytes.TryLease(new ByteCount(range.Start.Value - region.Range.Start.Value), range.Length, out lease)
            ? Errno.Ok
            : Errno.ENXIO; // the region was removed after it was found
    }

    /// <summary>Borrows bytes and what lies around them in the same region.</summary>
    /// <param name="range">The addresses that are wanted; inside one region of RAM or one window.</param>
    /// <param name="lease">The bytes, or none when refused; the caller disposes it.</param>
    /// <param name="around">Their addresses; empty when refused.</param>
    /// <returns>As <see cref="TryLease"/>.</returns>
    internal Errno TryLeaseAround(PhysRange range, out SpanLease lease, out PhysRange around)
    {
        lease = default;
        around = default;
        if (!map.TryFind(range.Start, out AddressRegion? region) || !region.Range.Contains(range)
            || region.Bytes(memory) is not { } bytes)
        {
            return Errno.ENXIO;
        }

        var offset = new ByteCount(range.Start.Value - region.Range.Start.Value);
        if (!bytes.TryLeaseAround(offset, range.Length, out lease, out ByteCount start))
        {
            return Errno.ENXIO; // the region was removed after it was found
        }

        around = new PhysRange(region.Range.Start.AddChecked(start), lease.Length);
        return Errno.Ok;
    }

    /// <summary>Shares bytes with other processes of the real system.</summary>
    /// <param name="ranges">The addresses, in the order of the file; whole pages, each inside one region.</param>
    /// <param name="shared">The lease; null when refused.</param>
    /// <returns><see cref="Errno.EINVAL"/>: a range is empty or not of whole pages, or there is none.
    /// <see cref="Errno.ENXIO"/>: nothing that a CPU can reach lies there; and as <see cref="SharedBytes.TryShare"/>.</returns>
    internal Errno TryShare(ReadOnlySpan<PhysRange> ranges, out SharedBytes? shared)
    {
        shared = null;
        var pieces = new SharedBytes.Piece[ranges.Length];
        for (int index = 0; index < pieces.Length; index++)
        {
            PhysRange range = ranges[index];
            if (range.IsEmpty || !range.TryGetFrames(out _))
            {
                return Errno.EINVAL;
            }

            bool isThere = map.TryFind(range.Start, out AddressRegion? region) && region.Range.Contains(range);
            if (!isThere || region!.Bytes(memory) is not { } bytes)
            {
                return Errno.ENXIO;
            }

            pieces[index] = new SharedBytes.Piece(bytes, range.Start.Value - region.Range.Start.Value, range.Length.Value);
        }

        return pieces.Length == 0 ? Errno.EINVAL : SharedBytes.TryShare(pieces, out shared);
    }
}
