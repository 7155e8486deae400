using Mm.Core.Checks;

namespace Mm.Core.Frames;

// The facet of mappings: what page tables say of a page, and what becomes of a folio that is mapped in parts.
public sealed partial class FrameTable
{
    private const ulong OneEntire = 1UL << 32; // in the head's private word: leaves above, entries of 4 KiB below

    /// <summary>The first frame of the folio that a frame lies in; itself where it is single.</summary>
    /// <param name="page">The frame.</param>
    /// <param name="order">The folio's order.</param>
    /// <returns>The head.</returns>
    internal Pfn HeadOf(Pfn page, out int order)
    {
        ref PageMeta meta = ref Resolve(page.Value, out ulong head);
        var word = new PageCountWord(Volatile.Read(ref meta.Count));
        order = word.IsCompound ? word.Order : 0;
        return new Pfn(head);
    }

    /// <summary>How a page is used: what a mover asks of each, read at once.</summary>
    /// <param name="page">The page, with metadata.</param>
    /// <returns>A copy.</returns>
    internal PageUsage UsageOf(Pfn page)
    {
        ref PageMeta head = ref Resolve(page.Value, out _);
        var word = new PageCountWord(Volatile.Read(ref head.Count));
        bool isLarge = word.IsCompound && word.Order != 0;
        return new PageUsage(
            Volatile.Read(ref head.Mapping),
            word.References,
            word.IsCompound ? MapCountOf(page) : Volatile.Read(ref head.MapCount),
            isLarge,
            new PageFlagsWord(Volatile.Read(ref head.Flags)).Pagemap != 0);
    }

    /// <summary>Whether a frame is part of a folio of several pages. <b>Linux:</b> PageTransCompound.</summary>
    /// <param name="page">The frame.</param>
    /// <returns>Whether it is.</returns>
    internal bool IsLarge(Pfn page)
    {
        _ = HeadOf(page, out int order);
        return order != 0;
    }

    /// <summary>Whether a frame is a device's. <b>Linux:</b> is_zone_device_page.</summary>
    /// <param name="page">The frame, with metadata.</param>
    /// <returns>Whether it is.</returns>
    internal bool IsDevice(Pfn page) => new PageFlagsWord(Volatile.Read(ref Meta(page.Value).Flags)).Pagemap != 0;

    /// <summary>Counts one more entry that maps a page. <b>Linux:</b> folio_add_anon_rmap_pte, folio_add_file_rmap_pte.</summary>
    /// <param name="page">The page; part of a folio, perhaps.</param>
    internal void AddMapping(Pfn page)
    {
        _ = Interlocked.Increment(ref Meta(page.Value).MapCount);
        ref PageMeta head = ref Resolve(page.Value, out _);
        if (new PageCountWord(Volatile.Read(ref head.Count)).IsCompound)
        {
            _ = Interlocked.Increment(ref head.Private);
        }
    }

    /// <summary>Counts one entry less. <b>Linux:</b> folio_remove_rmap_pte.</summary>
    /// <param name="page">The page.</param>
    internal void RemoveMapping(Pfn page)
    {
        ref PageMeta head = ref Resolve(page.Value, out _);
        if (new PageCountWord(Volatile.Read(ref head.Count)).IsCompound)
        {
            _ = Interlocked.Decrement(ref head.Private);
        }

        uint left = unchecked(Interlocked.Decrement(ref Meta(page.Value).MapCount)); // wraps only if it was 0
        if (left == uint.MaxValue)
        {
            Check.That(false, $"{page} was unmapped more often than mapped");
        }
    }

    /// <summary>Counts one more leaf that maps a whole folio. <b>Linux:</b> folio_add_anon_rmap_pmd.</summary>
    /// <param name="head">The folio's first frame.</param>
    internal void AddEntireMapping(Pfn head) => _ = Interlocked.Add(ref Meta(head.Value).Private, OneEntire);

    /// <summary>Counts one leaf less. <b>Linux:</b> folio_remove_rmap_pmd.</summary>
    /// <param name="head">The folio's first frame.</param>
    internal void RemoveEntireMapping(Pfn head)
    {
        ulong after = Interlocked.Add(ref Meta(head.Value).Private, unchecked(0UL - OneEntire)); // wraps: a subtraction
        if (after >> 32 == uint.MaxValue)
        {
            Check.That(false, $"{head} lost more leaves than it had");
        }
    }

    /// <summary>How many entries and leaves map a folio, over all its pages. <b>Linux:</b> folio_mapcount.</summary>
    /// <param name="page">Any frame of it.</param>
    /// <returns>The count.</returns>
    internal ulong MapCountOf(Pfn page)
    {
        ref PageMeta head = ref Resolve(page.Value, out _);
        ulong counts = Volatile.Read(ref head.Private);
        return new PageCountWord(Volatile.Read(ref head.Count)).IsCompound
            ? (counts >> 32) + (counts & uint.MaxValue)
            : Volatile.Read(ref head.MapCount);
    }

    /// <summary>How many entries and leaves map one page. <b>Linux:</b> folio_precise_page_mapcount.</summary>
    /// <param name="page">The page; part of a folio, perhaps.</param>
    /// <returns>The count.</returns>
    internal ulong MapCountOfPage(Pfn page) => Volatile.Read(ref Meta(page.Value).MapCount) + EntireMapCountOf(HeadOf(page, out _));

    /// <summary>How many leaves map a folio whole. <b>Linux:</b> folio_entire_mapcount.</summary>
    /// <param name="head">The folio's first frame.</param>
    /// <returns>The count.</returns>
    internal ulong EntireMapCountOf(Pfn head) => IsLarge(head) ? Volatile.Read(ref Meta(head.Value).Private) >> 32 : 0;

    /// <summary>Who a page belongs to, and which of its pages it is; of a folio's part, counted from the head.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The mapping word, 0 for none, and the index. <b>Linux:</b> folio-&gt;mapping and page_pgoff.</returns>
    internal (ulong Mapping, ulong Index) BelongsTo(Pfn page)
    {
        ref PageMeta head = ref Resolve(page.Value, out ulong first);
        return (Volatile.Read(ref head.Mapping), Volatile.Read(ref head.Index) + (page.Value - first));
    }

    /// <summary>Says who a page or folio belongs to. <b>Linux:</b> __folio_set_anon, page_cache_add.</summary>
    /// <param name="head">Its first frame.</param>
    /// <param name="mapping">The mapping word; 0 for nobody.</param>
    /// <param name="index">Which page it is.</param>
    internal void SetBelongsTo(Pfn head, ulong mapping, ulong index)
    {
        ref PageMeta meta = ref Meta(head.Value);
        Volatile.Write(ref meta.Index, index);
        Volatile.Write(ref meta.Mapping, mapping);
    }

    /// <summary>Drops a reference that an entry or a list held, known by its frame alone.</summary>
    /// <param name="page">The page, which is in use.</param>
    internal void PutFrame(Pfn page)
    {
        ref PageMeta head = ref Resolve(page.Value, out ulong first);
        Put(new PageToken(first, head.Generation));
    }

    /// <summary>Takes one more reference of a page that somebody holds.</summary>
    /// <param name="page">The page, in use for as long as the call takes.</param>
    internal void GetFrame(Pfn page)
    {
        bool taken = PageTransitions.TryUpdate(
            ref Resolve(page.Value, out _).Count, new PageTransitions.Get(1), out PageCountWord after);
        if (!taken)
        {
            Check.That(false, $"{page} must be held; it is {after}");
        }
    }

    /// <summary>References of the folio that a page lies in.</summary>
    /// <param name="page">Any frame of it.</param>
    /// <returns>The count, pins of small pages as 1024 each.</returns>
    internal uint ReferencesOf(Pfn page) => new PageCountWord(Volatile.Read(ref Resolve(page.Value, out _).Count)).References;

    /// <summary>Whether the folio that a page lies in may be pinned. <b>Linux:</b> folio_maybe_dma_pinned.</summary>
    /// <param name="page">Any frame of it.</param>
    /// <returns>Whether it may; a small page with 1024 references counts as pinned.</returns>
    internal bool MaybePinned(Pfn page) => new PageCountWord(Volatile.Read(ref Resolve(page.Value, out _).Count)).MaybePinned;

    /// <summary>Breaks a folio into single pages: each gets one reference, and keeps its flags, its owner and its index.</summary>
    /// <param name="head">The folio's first frame; nothing maps it.</param>
    /// <param name="expected">How many references it has, all the caller's; the first page keeps them.</param>
    /// <returns>Whether it had them; if not, nothing has changed. <b>Linux:</b> folio_ref_freeze and __split_huge_page.</returns>
    internal bool TrySplitFolio(Pfn head, uint expected)
    {
        ref PageMeta meta = ref Meta(head.Value);
        int order = new PageCountWord(Volatile.Read(ref meta.Count)).Order;
        if (!TryFreeze(head, expected))
        {
            return false;
        }

        Check.That(Volatile.Read(ref meta.Private) == 0, $"{head} is split while mapped");
        ulong count = PageCount.OfOrder(order).Value;
        for (ulong part = 1; part < count; part++)
        {
            ref PageMeta tail = ref Meta(head.Value + part);
            tail.Flags = meta.Flags & ~(ulong)PageFlags.Locked;
            tail.Mapping = meta.Mapping;
            tail.Index = meta.Index + part;
            Volatile.Write(ref tail.Count, PageCountWord.Single.Bits); // pairs with the acquire of every get
        }

        Volatile.Write(ref meta.Count, PageCountWord.Single.Bits + (expected - 1)); // pairs with the acquire of every get
        return true;
    }
}
