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
    private readonly Lock gate = new();
    private readonly PfnRange frames;
    private readonly int[] free; // a stack; protected by gate
    private readonly DeviceMirror?[] holders; // protected by gate
    private int freeCount; // protected by gate

    /// <summary>All pages free.</summary>
    /// <param name="frames">The device's frames.</param>
    internal MirrorPages(PfnRange frames)
    {
        this.frames = frames;
        free = new int[checked((int)frames.Count.Value)];
        holders = new DeviceMirror?[free.Length];
        for (int index = 0; index < free.Length; index++)
        {
            free[index] = index;
        }

        freeCount = free.Length;
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
            if (freeCount == 0)
            {
                return false;
            }

            int index = free[--freeCount];
            holders[index] = holder;
            page = new Pfn(frames.Start.Value + (ulong)index);
            return true;
        }
    }

    /// <summary>Takes 2 MiB for a mirror, in one piece.</summary>
    /// <param name="holder">The mirror.</param>
    /// <param name="head">The first page, aligned.</param>
    /// <returns>Whether there were any all of whose pages are free; the highest ones.</returns>
    internal bool TryTakeLarge(DeviceMirror holder, out Pfn head)
    {
        int pages = (int)PageSize.Large.Pages.Value;
        lock (gate)
        {
            head = default;
            for (int first = holders.Length - pages; first >= 0; first -= pages)
            {
                if (holders.AsSpan(first, pages).ContainsAnyExcept((DeviceMirror?)null))
                {
                    continue;
                }

                int left = 0;
                for (int index = 0; index < freeCount; index++)
                {
                    bool isTaken = free[index] >= first && free[index] < first + pages;
                    free[left] = free[index];
                    left += isTaken ? 0 : 1;
                }

                freeCount = left;
                holders.AsSpan(first, pages).Fill(holder);
                head = new Pfn(frames.Start.Value + (ulong)first);
                return true;
            }

            return false;
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
            free[freeCount++] = index;
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

    /// <summary>The pages in use.</summary>
    /// <returns>A copy of the list.</returns>
    internal Pfn[] CollectUsed()
    {
        lock (gate)
        {
            var used = new List<Pfn>(holders.Length - freeCount);
            for (int index = 0; index < holders.Length; index++)
            {
                if (holders[index] is not null)
                {
                    used.Add(new Pfn(frames.Start.Value + (ulong)index));
                }
            }

            return [.. used];
        }
    }

    private int IndexOf(Pfn page) => (int)(page.Value - frames.Start.Value);
}
