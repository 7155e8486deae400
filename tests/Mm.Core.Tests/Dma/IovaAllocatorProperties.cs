using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IovaAllocatorProperties
{
    private static readonly DmaAddr First = new(0xffc0_0000); // 1024 pages below 4 GiB
    private static readonly DmaAddr Limit = DmaMask.Bits32.Limit;

    // A small space fills up, so that refusals and second searches happen. Bits: 0-7 size, 8 free instead, 9-15 which.
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public bool RandomTakesAndFrees_AgreeWithANaivePicture(ushort[] steps)
    {
        var iovas = new IovaAllocator(First);
        var live = new List<IovaRange>();
        var taken = new bool[1024];
        foreach (ushort step in steps)
        {
            ulong size = (ulong)(step & 0xff) + 1;
            if ((step & 0x100) != 0 && live.Count != 0)
            {
                IovaRange gone = live[(step >> 9) % live.Count];
                iovas.Free(gone);
                live.Remove(gone);
                Mark(taken, gone, false);
            }
            else if (iovas.TryAllocate(new PageCount(size), Limit, out IovaRange range).IsOk)
            {
                ulong align = System.Numerics.BitOperations.RoundUpToPowerOf2(size) << 12;
                if (range.Start.Value % align != 0 || range.Pages.Value < size || !Mark(taken, range, true))
                {
                    return false;
                }

                live.Add(range);
            }
            else if (HasHole(taken, size))
            {
                return false;
            }

            iovas.Validate();
        }

        live.ForEach(iovas.Free);
        return iovas.UsedPages.IsZero && iovas.RunCount == 0;
    }

    private static bool Mark(bool[] taken, IovaRange range, bool value)
    {
        ulong first = (range.Start.Value - First.Value) >> 12;
        for (ulong page = first; page < first + range.Pages.Value; page++)
        {
            if (taken[page] == value)
            {
                return false;
            }

            taken[page] = value;
        }

        return true;
    }

    private static bool HasHole(bool[] taken, ulong size)
    {
        int align = (int)System.Numerics.BitOperations.RoundUpToPowerOf2(size);
        int pages = size < 32 ? align : (int)size;
        for (int start = 0; start + pages <= taken.Length; start += align)
        {
            if (!taken.AsSpan(start, pages).Contains(true))
            {
                return true;
            }
        }

        return false;
    }
}
