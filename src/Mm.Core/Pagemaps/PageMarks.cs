using Mm.Core.Native;

namespace Mm.Core.Pagemaps;

/// <summary>Who holds the one reference that an idle page of a page map has, for each page: two bits a page.</summary>
/// <remarks>
/// Needed only for kinds whose idle pages sit at one reference: the count alone cannot tell an idle page from one that is
/// handed out, and Linux leaves that to the driver. Whoever changes a mark owns that reference.
/// <para><b>Invariants:</b> (1) a mark changes only from what its changer saw; (2) Retired is final.</para>
/// <para><b>Locking:</b> atomic; safe from any thread.</para>
/// </remarks>
internal sealed class PageMarks : IDisposable
{
    private const int PagesPerWord = 32;

    private readonly NativeTable<ulong> words;

    /// <summary>Makes marks, all idle.</summary>
    /// <param name="memory">How to reserve memory.</param>
    /// <param name="pages">For how many pages.</param>
    internal PageMarks(MachineMemory memory, PageCount pages) =>
        words = memory.ReserveTable<ulong>((pages.Value + PagesPerWord - 1) / PagesPerWord);

    /// <summary>Who holds a page's idle reference.</summary>
    internal enum Mark : ulong
    {
        /// <summary>The page map: the page is free.</summary>
        Idle = 0,

        /// <summary>Whoever it was handed out to.</summary>
        Taken = 1,

        /// <summary>Nobody: the dying map has dropped it.</summary>
        Retired = 2,
    }

    /// <summary>The mark of a page.</summary>
    /// <param name="page">Which, counted from the map's first.</param>
    internal Mark this[ulong page] => (Mark)(Volatile.Read(ref words[page / PagesPerWord]) >> ShiftOf(page) & 3);

    /// <summary>Changes a mark.</summary>
    /// <param name="page">Which, counted from the map's first.</param>
    /// <param name="from">What it must be.</param>
    /// <param name="to">What it becomes.</param>
    /// <returns>Whether it was.</returns>
    internal bool TryChange(ulong page, Mark from, Mark to)
    {
        ref ulong word = ref words[page / PagesPerWord];
        int shift = ShiftOf(page);
        ulong seen = Volatile.Read(ref word);
        while ((Mark)((seen >> shift) & 3) == from)
        {
            ulong found = Interlocked.CompareExchange(ref word, (seen & ~(3UL << shift)) | ((ulong)to << shift), seen);
            if (found == seen)
            {
                return true;
            }

            seen = found;
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => words.Dispose();

    private static int ShiftOf(ulong page) => (int)(page % PagesPerWord) * 2;
}
