using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Rdma;

/// <summary>A device's table of a region whose addresses are known: finds the address of a byte.</summary>
/// <remarks>
/// Owns nothing: it is good as long as the mapping that it was made of.
/// <para><b>Linux:</b> the MTT entries that a driver makes of a umem's list, cut to the region's window as
/// ib_umem_dmabuf_map_pages cuts (v6.12). Difference: the mapping's own list is never changed, so nothing is to be put back.</para>
/// <para>Immutable.</para>
/// </remarks>
internal sealed class RegionTable
{
    private readonly DmaSegment[] segments;
    private readonly ulong[] starts; // of each segment in the region

    private RegionTable(DmaSegment[] segments, ulong[] starts)
    {
        this.segments = segments;
        this.starts = starts;
    }

    /// <summary>The addresses, cut to the region.</summary>
    internal ReadOnlySpan<DmaSegment> Segments => segments;

    /// <summary>Cuts a mapping's addresses to a window.</summary>
    internal static RegionTable Of(ReadOnlySpan<DmaSegment> all, ByteCount offset, ByteCount length)
    {
        var cut = new List<DmaSegment>(all.Length);
        var offsets = new List<ulong>(all.Length);
        ulong skip = offset.Value;
        ulong left = length.Value;
        foreach (DmaSegment segment in all)
        {
            ulong skipped = Math.Min(skip, segment.Length.Value);
            ulong here = Math.Min(left, segment.Length.Value - skipped);
            skip -= skipped;
            if (here == 0)
            {
                continue;
            }

            offsets.Add(length.Value - left);
            cut.Add(segment with { Address = segment.Address.AddChecked(new ByteCount(skipped)), Length = new ByteCount(here) });
            left -= here;
        }

        return new RegionTable([.. cut], [.. offsets]);
    }

    /// <summary>Moves bytes; they lie in the region.</summary>
    internal Errno TryAccess(DmaPort port, ByteCount offset, Span<byte> bytes, bool isWrite)
    {
        ulong at = offset.Value;
        int index = Array.BinarySearch(starts, at);
        index = index < 0 ? ~index - 1 : index;
        while (!bytes.IsEmpty)
        {
            DmaSegment segment = segments[index];
            ulong inside = at - starts[index];
            int here = (int)Math.Min((ulong)bytes.Length, segment.Length.Value - inside);
            DmaAddr address = segment.Address.AddChecked(new ByteCount(inside));
            Errno errno = isWrite
                ? port.TryWrite(address, bytes[..here], out _)
                : port.TryRead(address, bytes[..here], out _);
            if (!errno.IsOk)
            {
                return errno;
            }

            bytes = bytes[here..];
            at += (ulong)here;
            index++;
        }

        return Errno.Ok;
    }
}
