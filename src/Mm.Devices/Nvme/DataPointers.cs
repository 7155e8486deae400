using System.Buffers.Binary;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;

namespace Mm.Devices.Nvme;

/// <summary>Writes where a command's bytes are, as the controller wants to read it: pages or descriptors, in chained list pages.</summary>
/// <remarks>
/// Owns nothing: list pages come from the caller, who keeps them until the command has ended.
/// <para><b>Linux:</b> nvme_pci_setup_prps and nvme_pci_setup_sgls (drivers/nvme/host/pci.c, v6.12). Difference: descriptors
/// are chained over pages, where Linux has one page of them at most.</para>
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
internal static class DataPointers
{
    internal const ulong PageBytes = 4096;
    internal const int EntryBytes = 8;
    internal const int DescriptorBytes = 16;
    internal const ulong MaxDescriptorLength = uint.MaxValue;

    private const int EntriesOfPage = (int)PageBytes / EntryBytes;
    private const int DescriptorsOfPage = (int)PageBytes / DescriptorBytes;

    /// <summary>Takes one more list page.</summary>
    internal delegate Errno TakePage(out NvmeQueueMemory? page);

    /// <summary>Whether segments can be named by pages: all borders between them lie between pages, the start on four bytes.</summary>
    internal static bool AreWholePages(ReadOnlySpan<DmaSegment> segments)
    {
        for (int index = 0; index < segments.Length; index++)
        {
            ulong start = segments[index].Address.Value;
            ulong end = unchecked(start + segments[index].Length.Value); // modulo 2^64: only the offset in the page counts
            bool isStartFine = index == 0 ? start % 4 == 0 : start % PageBytes == 0;
            bool isEndFine = index == segments.Length - 1 || end % PageBytes == 0;
            if (!isStartFine || !isEndFine)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Names segments by pages: the first by the command, the second too if there is no third, else a chain of lists.</summary>
    /// <returns>Ok, or what taking a list page is refused with; the caller gives back what was taken.</returns>
    internal static Errno TryWritePages(
        ReadOnlySpan<DmaSegment> segments, TakePage take, out DmaAddr first, out ulong second)
    {
        first = segments[0].Address;
        second = 0;
        var pages = new List<ulong>();
        foreach (DmaSegment segment in segments)
        {
            ulong at = segment.Address.Value;
            ulong last = at + (segment.Length.Value - 1);
            for (ulong page = at & ~(PageBytes - 1); page <= last; page += PageBytes)
            {
                pages.Add(Math.Max(page, at));
                if (page > ulong.MaxValue - PageBytes)
                {
                    break;
                }
            }
        }

        if (pages.Count <= 2)
        {
            second = pages.Count == 2 ? pages[1] : 0;
            return Errno.Ok;
        }

        return TryWriteLists(pages, take, out second);
    }

    /// <summary>Names segments by descriptors: one in the command, or a chain of segments of them.</summary>
    /// <returns>Ok, or what taking a list page is refused with; the caller gives back what was taken.</returns>
    internal static Errno TryWriteDescriptors(
        ReadOnlySpan<DmaSegment> segments, TakePage take, out DmaAddr first, out ulong second)
    {
        first = segments[0].Address;
        second = SglDescriptor.Words(SglType.DataBlock, segments[0].Length.Value);
        if (segments.Length == 1)
        {
            return Errno.Ok;
        }

        // A page that is not the last gives its last descriptor to the next page.
        NvmeQueueMemory? page = null;
        int done = 0;
        while (done < segments.Length)
        {
            int left = segments.Length - done;
            int here = left <= DescriptorsOfPage ? left : DescriptorsOfPage - 1;
            bool isLast = here == left;
            Errno errno = take(out NvmeQueueMemory? next);
            if (!errno.IsOk)
            {
                return errno;
            }

            var length = (ulong)((isLast ? here : here + 1) * DescriptorBytes);
            ulong words = SglDescriptor.Words(isLast ? SglType.LastSegment : SglType.Segment, length);
            if (page is null)
            {
                (first, second) = (next!.Address, words);
            }
            else
            {
                WriteDescriptor(page, DescriptorsOfPage - 1, next!.Address, words);
            }

            for (int index = 0; index < here; index++)
            {
                DmaSegment segment = segments[done + index];
                WriteDescriptor(next, index, segment.Address, SglDescriptor.Words(SglType.DataBlock, segment.Length.Value));
            }

            page = next;
            done += here;
        }

        return Errno.Ok;
    }

    private static Errno TryWriteLists(List<ulong> pages, TakePage take, out ulong second)
    {
        second = 0;
        NvmeQueueMemory? list = null;
        int done = 1; // the first page is the command's own
        while (done < pages.Count)
        {
            Errno errno = take(out NvmeQueueMemory? next);
            if (!errno.IsOk)
            {
                return errno;
            }

            if (list is null)
            {
                second = next!.Address.Value;
            }
            else
            {
                WriteEntry(list, EntriesOfPage - 1, next!.Address.Value);
            }

            // All fit, or the last entry leads on.
            int left = pages.Count - done;
            int here = left <= EntriesOfPage ? left : EntriesOfPage - 1;
            for (int index = 0; index < here; index++)
            {
                WriteEntry(next!, index, pages[done + index]);
            }

            list = next;
            done += here;
        }

        return Errno.Ok;
    }

    private static void WriteEntry(NvmeQueueMemory list, int index, ulong address)
    {
        using SpanLease lease = list.Lease((ulong)(index * EntryBytes), EntryBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(lease.Bytes, address);
    }

    private static void WriteDescriptor(NvmeQueueMemory list, int index, DmaAddr address, ulong words)
    {
        using SpanLease lease = list.Lease((ulong)(index * DescriptorBytes), DescriptorBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(lease.Bytes, address.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(lease.Bytes[8..], words);
    }
}
