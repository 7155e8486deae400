using Mm.Core.Native;

namespace Mm.Core.Frames;

/// <summary>A list of free blocks of one order and type, linked through their first frames' metadata.</summary>
/// <remarks>
/// <b>Linux:</b> one free_list of struct free_area (v6.12). Links are frame numbers + 1, so that zeroed links mean none.
/// <para><b>Invariants:</b> (1) <see cref="Count"/> blocks are linked, and links agree both ways.</para>
/// <para><b>Locking:</b> the zone's lock. <c>default</c> is an empty list.</para>
/// </remarks>
internal struct FrameList
{
    private ulong head; // frame number + 1; 0 when empty

    /// <summary>How many blocks.</summary>
    internal ulong Count { get; private set; }

    /// <summary>Whether there is none.</summary>
    internal readonly bool IsEmpty => head == 0;

    /// <summary>The first block's frame number; the list is not empty.</summary>
    internal readonly ulong First => head - 1;

    /// <summary>Adds a block at the front.</summary>
    internal void Add(NativeTable<PageMeta> pages, ulong frame, ref PageMeta meta)
    {
        meta.Previous = 0;
        meta.Next = head;
        if (head != 0)
        {
            pages[head - 1].Previous = frame + 1;
        }

        head = frame + 1;
        Count++;
    }

    /// <summary>Takes a block out, wherever it is in the list.</summary>
    internal void Remove(NativeTable<PageMeta> pages, ref PageMeta meta)
    {
        if (meta.Previous != 0)
        {
            pages[meta.Previous - 1].Next = meta.Next;
        }
        else
        {
            head = meta.Next;
        }

        if (meta.Next != 0)
        {
            pages[meta.Next - 1].Previous = meta.Previous;
        }

        meta.Next = 0;
        meta.Previous = 0;
        Count--;
    }
}
