using System.Buffers.Binary;
using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Nvme;

/// <summary>The controller's side of a data pointer: reads lists by DMA, holds them to the rules, and gathers the runs of bytes.</summary>
/// <remarks>
/// Owns its scratch, which is used again for each command.
/// <para><b>Linux:</b> none: this is the hardware. Rules of the NVM Express base specification 2.0, 4.1.1 and 4.1.2.</para>
/// <para><b>Invariants:</b> (1) refused, no byte of the data was touched; (2) the runs are as long as the command.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class DataPointerReader(DmaPort port, int maxDescriptors)
{
    private readonly byte[] page = new byte[DataPointers.PageBytes];
    private readonly List<DataRun> runs = [];
    private ulong left;

    /// <summary>Where the bytes of the last command are, neighbours in one piece.</summary>
    internal IReadOnlyList<DataRun> Runs => runs;

    internal NvmeStatus Read(in NvmeCommand command, ulong length)
    {
        runs.Clear();
        left = length;
        return command.IsSgl ? ReadDescriptors(command) : ReadPages(command);
    }

    private NvmeStatus ReadPages(in NvmeCommand command)
    {
        ulong offset = command.First.OffsetIn(PageSize.Small).Value;
        if (offset % 4 != 0)
        {
            return NvmeStatus.PrpInvalidOffset;
        }

        Take(command.First, DataPointers.PageBytes - offset);
        if (left == 0)
        {
            return NvmeStatus.Success;
        }

        return left <= DataPointers.PageBytes ? TakePage(command.Second) : ReadLists(command.Second);
    }

    private NvmeStatus ReadLists(ulong list)
    {
        for (int lists = 0; left != 0; lists++)
        {
            if (list % DataPointers.EntryBytes != 0)
            {
                return NvmeStatus.PrpInvalidOffset;
            }

            if (lists > maxDescriptors)
            {
                return NvmeStatus.InvalidField; // lists that lead in a circle
            }

            int room = (int)(DataPointers.PageBytes - (list % DataPointers.PageBytes)) / DataPointers.EntryBytes;
            ulong wanted = (left + DataPointers.PageBytes - 1) / DataPointers.PageBytes;
            bool leadsOn = wanted > (ulong)room;
            int here = leadsOn ? room : (int)wanted;
            Span<byte> bytes = page.AsSpan(0, here * DataPointers.EntryBytes);
            if (!port.TryRead(new DmaAddr(list), bytes, out _).IsOk)
            {
                return NvmeStatus.DataTransferError;
            }

            for (int index = 0; index < (leadsOn ? here - 1 : here); index++)
            {
                NvmeStatus status = TakePage(EntryAt(bytes, index));
                if (!status.IsSuccess)
                {
                    return status;
                }
            }

            list = leadsOn ? EntryAt(bytes, here - 1) : 0;
        }

        return NvmeStatus.Success;
    }

    private NvmeStatus TakePage(ulong address)
    {
        if (address % DataPointers.PageBytes != 0)
        {
            return NvmeStatus.PrpInvalidOffset;
        }

        Take(new DmaAddr(address), DataPointers.PageBytes);
        return NvmeStatus.Success;
    }

    private NvmeStatus ReadDescriptors(in NvmeCommand command)
    {
        SglDescriptor next = SglDescriptor.Of(command.First, command.Second);
        int seen = 0;
        NvmeStatus status = next.IsLink ? NvmeStatus.Success : TakeDescriptor(next);
        while (next.IsLink && status.IsSuccess)
        {
            status = ReadSegment(ref next, ref seen);
        }

        return !status.IsSuccess || left == 0 ? status : NvmeStatus.SglInvalidLength;
    }

    // On return `next` leads to the following segment, or is no link where this was the last.
    private NvmeStatus ReadSegment(ref SglDescriptor next, ref int seen)
    {
        bool mayLead = next.Type == SglType.Segment;
        if (!next.IsKnown || next.Length == 0 || next.Length % DataPointers.DescriptorBytes != 0)
        {
            return next.IsKnown ? NvmeStatus.SglInvalidSegment : NvmeStatus.SglInvalidType;
        }

        DmaAddr at = next.Address;
        uint count = next.Length / DataPointers.DescriptorBytes;
        next = default;
        for (uint index = 0; index < count; index++)
        {
            if (++seen > maxDescriptors)
            {
                return NvmeStatus.SglInvalidCount;
            }

            Span<byte> bytes = page.AsSpan(0, DataPointers.DescriptorBytes);
            if (!port.TryRead(at.AddWrapping(new ByteCount(index * DataPointers.DescriptorBytes)), bytes, out _).IsOk)
            {
                return NvmeStatus.DataTransferError;
            }

            SglDescriptor found = SglDescriptor.ReadFrom(bytes);
            bool isAtEnd = index == count - 1;
            if (found.IsKnown && found.IsLink)
            {
                if (!mayLead || !isAtEnd)
                {
                    return NvmeStatus.SglInvalidSegment;
                }

                next = found;
                return NvmeStatus.Success;
            }

            NvmeStatus status = TakeDescriptor(found);
            if (!status.IsSuccess)
            {
                return status;
            }
        }

        // A segment that is not the last must lead on.
        return mayLead ? NvmeStatus.SglInvalidSegment : NvmeStatus.Success;
    }

    private NvmeStatus TakeDescriptor(SglDescriptor found)
    {
        if (!found.IsKnown || found.IsLink)
        {
            return NvmeStatus.SglInvalidType;
        }

        if (found.Type == SglType.BitBucket)
        {
            ulong skipped = Math.Min(left, found.Length);
            runs.Add(new DataRun(default, new ByteCount(skipped), IsBucket: true));
            left -= skipped;
            return NvmeStatus.Success;
        }

        Take(found.Address, found.Length);
        return NvmeStatus.Success;
    }

    private void Take(DmaAddr address, ulong most)
    {
        var length = new ByteCount(Math.Min(left, most));
        left -= length.Value;
        if (length.IsZero)
        {
            return;
        }

        DataRun last = runs.Count == 0 ? default : runs[^1];
        bool isNeighbour = !last.IsBucket && runs.Count != 0
            && last.Address.TryAdd(last.Length, out DmaAddr end) && end == address;
        if (isNeighbour)
        {
            runs[^1] = last with { Length = last.Length.AddChecked(length) };
        }
        else
        {
            runs.Add(new DataRun(address, length, IsBucket: false));
        }
    }

    private static ulong EntryAt(ReadOnlySpan<byte> bytes, int index) =>
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[(index * DataPointers.EntryBytes)..]);
}
