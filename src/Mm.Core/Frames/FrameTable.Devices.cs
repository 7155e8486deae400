using System.Diagnostics.CodeAnalysis;
using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Core.Frames;

// The facet of device memory: what a page map asks of the table.
public sealed partial class FrameTable
{
    /// <summary>Gives device memory metadata, untouched until a page is used.</summary>
    /// <param name="span">The frames, with zone <see cref="ZoneKind.Device"/>, a page map's index and an owner.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: a frame has metadata already.</returns>
    internal Errno TryAddDevicePages(FrameSpan span)
    {
        Check.That(
            span is { Zone: ZoneKind.Device, Pagemap: not 0, Owner: not null } && !span.Range.IsEmpty,
            $"device pages have an owner and a page map: {span}");
        using (gate.Enter())
        {
            if (spans.FindOverlap(span.Range) is not null)
            {
                return Errno.ENOMEM;
            }

            ulong start = Math.Max(span.Start, main.Capacity);
            if (start < span.End)
            {
                var range = new PfnRange(new Pfn(start), new PageCount(span.End - start));
                NativeTable<PageMeta> table = memory.ReserveTable<PageMeta>(range.Count.Value);
                Volatile.Write(ref annexes, [.. annexes, new FrameAnnex(range, table)]);
            }

            Volatile.Write(ref spans, spans.With(span));
            return Errno.Ok;
        }
    }

    /// <summary>Takes the metadata of device memory away. The page map has seen every page come back.</summary>
    /// <param name="span">What was added.</param>
    internal void RemoveDevicePages(FrameSpan span)
    {
        using (gate.Enter())
        {
            Check.That(spans.All.Contains(span), $"the span must have been added: {span}");
            Volatile.Write(ref spans, spans.Without(span));
            for (ulong frame = span.Start; frame < Math.Min(span.End, main.Capacity); frame++)
            {
                ref PageMeta meta = ref main[frame];
                var word = new PageCountWord(meta.Count);
                Check.That(
                    word.Bits == 0 || word == span.IdleCount,
                    $"{new Pfn(frame)} must be idle when its page map goes; it is {word}");
                meta = default;
            }

            FrameAnnex? annex = Array.Find(annexes, annex => span.Range.Contains(annex.Range));
            if (annex is not null)
            {
                Volatile.Write(ref annexes, Array.FindAll(annexes, other => other != annex));
                annex.Table.Dispose();
            }
        }
    }

    /// <summary>Hands an idle device page out: one reference, and locked.</summary>
    /// <param name="page">The page.</param>
    /// <returns>
    /// <see cref="Errno.ENXIO"/>: the frame is no device memory with metadata.
    /// <see cref="Errno.EBUSY"/>: it is handed out.
    /// </returns>
    /// <remarks><b>Linux:</b> zone_device_page_init (mm/memremap.c, v6.12), for memory whose idle pages have no reference.</remarks>
    internal Errno TryTakeDevicePage(Pfn page)
    {
        if (Spans.Find(page.Value) is not { Zone: ZoneKind.Device } span)
        {
            return Errno.ENXIO;
        }

        ref PageMeta meta = ref UseDeviceMeta(page.Value, span);
        using (gate.Enter())
        {
            if (new PageCountWord(meta.Count).State != PageState.DeviceIdle)
            {
                return Errno.EBUSY;
            }

            meta.Flags = span.FreshFlags.With(PageFlags.Locked).Bits;
            Volatile.Write(ref meta.Count, PageCountWord.Single.Bits); // pairs with the acquire of every get
            return Errno.Ok;
        }
    }

    /// <summary>Hands idle device pages out as one folio: one reference, and locked.</summary>
    /// <param name="head">The first page, aligned to the order.</param>
    /// <param name="order">The order; above 0.</param>
    /// <returns>
    /// <see cref="Errno.ENXIO"/>: a frame is no device memory with metadata, or of another page map.
    /// <see cref="Errno.EBUSY"/>: one of them is handed out.
    /// </returns>
    /// <remarks><b>Linux:</b> zone_device_folio_init (v6.19).</remarks>
    internal Errno TryTakeDeviceFolio(Pfn head, int order)
    {
        var range = new PfnRange(head, PageCount.OfOrder(order));
        if (Spans.Find(head.Value) is not { Zone: ZoneKind.Device } span || !span.Range.Contains(range))
        {
            return Errno.ENXIO;
        }

        using (gate.Enter())
        {
            for (ulong frame = head.Value; frame < head.Value + range.Count.Value; frame++)
            {
                if (new PageCountWord(Meta(frame).Count).State is not (PageState.DeviceIdle or PageState.Blank))
                {
                    return Errno.EBUSY;
                }
            }

            for (ulong tail = head.Value + 1; tail < head.Value + range.Count.Value; tail++)
            {
                Meta(tail).Flags = span.FreshFlags.Bits;
                Volatile.Write(ref Meta(tail).Count, 0); // the head answers for it
            }

            Meta(head.Value).Flags = span.FreshFlags.With(PageFlags.Locked).Bits;
            Volatile.Write(ref Meta(head.Value).Count, PageCountWord.Folio(order).Bits); // pairs with the acquire of every get
            return Errno.Ok;
        }
    }

    /// <summary>Puts a device page back to how its kind of memory keeps idle pages. The end of every <see cref="IDevicePageOwner.OnLastReference"/>.</summary>
    /// <param name="page">The page, frozen.</param>
    internal void ReturnDevicePage(Pfn page)
    {
        FrameSpan? span = Spans.Find(page.Value);
        ref PageMeta meta = ref Meta(page.Value);
        var word = new PageCountWord(Volatile.Read(ref meta.Count));
        if (span is null || word.State != PageState.Frozen || meta.MapCount != 0)
        {
            ThrowNotReturnable(page, word, meta.MapCount);
        }

        for (ulong tail = page.Value + 1; word.IsCompound && tail < page.Value + (1UL << word.Order); tail++)
        {
            ReturnTail(tail, span);
        }

        meta.Private = 0;
        meta.Mapping = 0; // as free_zone_device_folio does: a stale mapping would still look anonymous
        meta.Flags = span.FreshFlags.Bits;
        meta.Generation = unchecked((ushort)(meta.Generation + 1)); // wraps: a lease is not that old
        Volatile.Write(ref meta.Count, span.IdleCount.Bits); // pairs with the acquire of every get
    }

    /// <summary>States anew how idle pages of a run of device memory are kept; pages in use are left as they are.</summary>
    /// <param name="span">What was added.</param>
    /// <param name="replacement">The same frames, with another count for idle pages. Pages never used follow at once.</param>
    internal void ReplaceDevicePages(FrameSpan span, FrameSpan replacement)
    {
        Check.That(span.Range == replacement.Range, $"a span is replaced by one of the same frames: {span}, {replacement}");
        using (gate.Enter())
        {
            Check.That(spans.All.Contains(span), $"the span must have been added: {span}");
            Volatile.Write(ref spans, spans.Without(span).With(replacement));
        }
    }

    /// <summary>Shuts an idle device page that sits at one reference, if nobody else has one.</summary>
    /// <param name="page">A page whose one idle reference is the caller's.</param>
    /// <returns>Whether the page has no reference now; if not, the caller's is still there.</returns>
    internal bool TryRetireDevicePage(Pfn page)
    {
        ref PageMeta meta = ref Meta(page.Value);
        ulong seen = Interlocked.CompareExchange(
            ref meta.Count, PageCountWord.DeviceIdle().Bits, PageCountWord.Single.Bits);
        return seen == PageCountWord.Single.Bits || new PageCountWord(seen).State is PageState.Blank or PageState.DeviceIdle;
    }

    /// <summary>Whether a device page has a reference, its first use of metadata included.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it has; false for a page whose kind keeps idle pages at none.</returns>
    internal bool HasIdleReference(Pfn page) =>
        Spans.Find(page.Value) is { } span
        && new PageCountWord(Volatile.Read(ref UseDeviceMeta(page.Value, span).Count)).State == PageState.InUse;

    /// <summary>Makes a lease of a reference that the page has already and that passes to the caller.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The lease; the page's count is as before.</returns>
    internal PageRef AdoptReference(Pfn page) => new(this, new PageToken(page.Value, Meta(page.Value).Generation));

    /// <summary>Counts the pages of a run of device memory that have a reference.</summary>
    /// <param name="span">What was added.</param>
    /// <returns>How many.</returns>
    internal ulong CountDevicePagesInUse(FrameSpan span)
    {
        ulong count = 0;
        for (ulong frame = span.Start; frame < span.End; frame++)
        {
            var word = new PageCountWord(Volatile.Read(ref Meta(frame).Count));
            count += word.State is PageState.InUse or PageState.Frozen ? 1UL << (word.IsCompound ? word.Order : 0) : 0UL;
        }

        return count;
    }

    // First use of a device page's metadata. Whoever sees a blank word comes through the lock, so the plain stores of
    // flags are seen before the count that makes them meaningful.
    private ref PageMeta UseDeviceMeta(ulong frame, FrameSpan span)
    {
        ref PageMeta meta = ref Meta(frame);
        if (Volatile.Read(ref meta.Count) != 0)
        {
            return ref meta;
        }

        using (gate.Enter())
        {
            // Asked again: the span may have been replaced since the caller looked.
            _ = Resolve(frame, out ulong head);
            if (meta.Count == 0 && head == frame && spans.Find(frame) is { } current)
            {
                meta.Flags = current.FreshFlags.Bits;
                Volatile.Write(ref meta.Count, current.IdleCount.Bits);
            }
        }

        return ref meta;
    }

    // A folio that ends leaves single pages: each is idle for itself.
    private void ReturnTail(ulong tail, FrameSpan span)
    {
        ref PageMeta meta = ref Meta(tail);
        if (meta.MapCount != 0)
        {
            ThrowNotReturnable(new Pfn(tail), new PageCountWord(meta.Count), meta.MapCount);
        }

        meta.Flags = span.FreshFlags.Bits;
        meta.Generation = unchecked((ushort)(meta.Generation + 1)); // wraps: a lease is not that old
        Volatile.Write(ref meta.Count, span.IdleCount.Bits); // pairs with the acquire of every get
    }

    [DoesNotReturn]
    private static void ThrowNotReturnable(Pfn page, PageCountWord word, uint mapCount) =>
        Check.That(false, $"invariant 3: {page} must be frozen and unmapped; it is {word}, mapped {mapCount} times");

    private IDevicePageOwner OwnerOf(ulong frame)
    {
        IDevicePageOwner? owner = Spans.Find(frame)?.Owner;
        Check.That(owner is not null, "a device page has an owner");
        return owner;
    }
}
