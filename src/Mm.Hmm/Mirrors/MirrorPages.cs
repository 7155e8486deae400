using Mm.Core;

namespace Mm.Hmm.Mirrors;

/// <summary>The free pages of one device's memory, and which mirror has each of the others.</summary>
/// <remarks>
/// Owns the list. Last in, first out.
/// <para><b>Linux:</b> free_pages and zone_device_data of lib/test_hmm.c, what a driver keeps itself (v6.12).</para>
/// <para><b>Locking:</b> a lock of its own, innermost: pages come back from within any call.</para>
/// </remarks>
internal sealed class MirrorPages
{
    private const int None = -1;

    private static readonly int LargePages = (int)PageSize.Large.Pages.Value;

    private readonly Lock gate = new();
    private readonly PfnRange frames;
    private readonly DeviceMirror?[] holders; // protected by gate, as all below
    private readonly (int Above, int Below)[] links; // of the free pages: who came back after, and before
    private readonly int[] freeIn; // free pages of each aligned 2 MiB
    private int top = None; // the page that came back last
    private int freeCount;

    /// <summary>All pages free.</summary>
    /// <param name="frames">The device's frames.</param>
    internal MirrorPages(PfnRange frames)
    {
        this.frames = frames;
        holders = new DeviceMirror?[checked((int)frames.Count.Value)];
        links = new (int Above, int Below)[holders.Length];
        freeIn = new int[holders.Length == 0 ? 0 : BlockOf(holders.Length - 1) + 1];
        for (int index = 0; index < holders.Length; index++)
        {
            Link(index);
        }
    }

    /// <summary>Pages that are free.</summary>
    internal int FreeCount
    {
        get
        {
            lock (gate)
            {
                return freeCount;
            }
        }
    }

    /// <summary>Takes a page for a mirror.</summary>
    /// <param name="holder">The mirror.</param>
    /// <param name="page">The page.</param>
    /// <returns>Whether there was one.</returns>
    internal bool TryTake(DeviceMirror holder, out Pfn page)
    {
        lock (gate)
        {
            page = default;
            if (top == None)
            {
                return false;
            }

            page = new Pfn(frames.Start.Value + (ulong)top);
            holders[top] = holder;
            Unlink(top);
            return true;
        }
    }

    /// <summary>Takes 2 MiB for a mirror, in one piece.</summary>
    /// <param name="holder">The mirror.</param>
    /// <param name="head">The first page, aligned.</param>
    /// <returns>Whether there were any all of whose pages are free; the highest ones.</returns>
    internal bool TryTakeLarge(DeviceMirror holder, out Pfn head)
    {
        lock (gate)
        {
            int block = Array.LastIndexOf(freeIn, LargePages);
            if (block < 0)
            {
                head = default;
                return false;
            }

            head = new Pfn(((frames.Start.Value >> PageSize.Large.Order) + (ulong)block) << PageSize.Large.Order);
            int first = IndexOf(head);
            for (int index = first; index < first + LargePages; index++)
            {
                holders[index] = holder;
                Unlink(index);
            }

            return true;
        }
    }

    /// <summary>Takes a page back.</summary>
    /// <param name="page">The page.</param>
    internal void Return(Pfn page)
    {
        lock (gate)
        {
            int index = IndexOf(page);
            holders[index] = null;
            Link(index);
        }
    }

    /// <summary>Whose page it is.</summary>
    /// <param name="page">The page, which is in use.</param>
    /// <returns>The mirror that took it.</returns>
    internal DeviceMirror? HolderOf(Pfn page)
    {
        lock (gate)
        {
            return holders[IndexOf(page)];
        }
    }

    /// <summary>Collects pages in use, some at a time.</summary>
    /// <param name="next">Where to go on: 0 at first, and as the call before has left it.</param>
    /// <param name="into">Room for 2 MiB at least; pages of an aligned 2 MiB come together.</param>
    /// <returns>How many; 0 at the end.</returns>
    internal int CollectUsed(ref int next, Span<Pfn> into)
    {
        int count = 0;
        lock (gate)
        {
            for (; next < holders.Length; next++)
            {
                var page = new Pfn(frames.Start.Value + (ulong)next);
                if (page.IsAligned(PageSize.Large.Order) && into.Length - count < LargePages)
                {
                    break;
                }

                if (holders[next] is not null)
                {
                    into[count++] = page;
                }
            }
        }

        return count;
    }

    private void Link(int index)
    {
        links[index] = (None, top);
        if (top != None)
        {
            links[top].Above = index;
        }

        top = index;
        freeCount++;
        freeIn[BlockOf(index)]++;
    }

    private void Unlink(int index)
    {
        (int above, int below) = links[index];
        if (above == None)
        {
            top = below;
        }
        else
        {
            links[above].Below = below;
        }

        if (below != None)
        {
            links[below].Above = above;
        }

        freeCount--;
        freeIn[BlockOf(index)]--;
    }

    private int BlockOf(int index) =>
        (int)(((frames.Start.Value + (ulong)index) >> PageSize.Large.Order) - (frames.Start.Value >> PageSize.Large.Order));

    private int IndexOf(Pfn page) => (int)(page.Value - frames.Start.Value);
}
