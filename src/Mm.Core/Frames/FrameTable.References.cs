using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Mm.Core.Checks;

namespace Mm.Core.Frames;

// The facet of references, pins and folios.
public sealed partial class FrameTable
{
    /// <summary>Whether a page may stay pinned for long: not in the movable zone, nor in a pageblock lent out or being emptied.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it may. Device memory may; that coherent memory may not is for its page map to say.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has no metadata.</exception>
    /// <remarks><b>Linux:</b> folio_is_longterm_pinnable (include/linux/mm.h, v6.12).</remarks>
    public bool IsLongTermPinnable(Pfn page)
    {
        FrameSpan span = Spans.Find(page.Value)
            ?? throw new ArgumentOutOfRangeException(nameof(page), page, $"page must have metadata; {page} has none");
        return span.Zone switch
        {
            ZoneKind.Device => true,
            ZoneKind.Movable => false,
            _ => allocator is null || allocator.TypeOf(page) is not (MigrateType.Cma or MigrateType.Isolate),
        };
    }

    /// <summary>Drops a reference.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <exception cref="ObjectDisposedException">The page is in another life, or has no reference left.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Put(PageToken token)
    {
        if (allocator is null || !allocator.TryPutHot(token))
        {
            PutOther(token);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void PutOther(PageToken token)
    {
        ulong head = token.Frame;
        ref PageMeta meta = ref Meta(head);
        if (Volatile.Read(ref meta.Count) == 0)
        {
            meta = ref Resolve(head, out head);
        }

        if (meta.Generation != token.Generation
            || !PageTransitions.TryUpdate(ref meta.Count, new PageTransitions.Put(1), out PageCountWord after))
        {
            ThrowStale(token);
            return;
        }

        if (after.References == 0)
        {
            FreeLast(head, ref meta, after);
        }
    }

    /// <summary>Drops a pin.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <exception cref="ObjectDisposedException">The page is in another life, or has no pin left.</exception>
    internal void Unpin(PageToken token)
    {
        ref PageMeta meta = ref Resolve(token.Frame, out ulong head);
        if (meta.Generation != token.Generation
            || !PageTransitions.TryUpdate(ref meta.Count, default(PageTransitions.Unpin), out PageCountWord after))
        {
            ThrowStale(token);
            return;
        }

        if (after.References == 0)
        {
            FreeLast(head, ref meta, after);
        }
    }

    /// <summary>Takes a reference or a pin besides one that the caller holds.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <param name="isPin">Whether to pin.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: a count would pass its bound.</returns>
    /// <exception cref="ObjectDisposedException">The page is in another life, or free.</exception>
    internal Errno TryTakeAgain(PageToken token, bool isPin)
    {
        ref PageMeta meta = ref Resolve(token.Frame, out _);
        if (meta.Generation != token.Generation)
        {
            ThrowStale(token);
        }

        bool isTaken = isPin
            ? PageTransitions.TryUpdate(ref meta.Count, default(PageTransitions.Pin), out PageCountWord after)
            : PageTransitions.TryUpdate(ref meta.Count, new PageTransitions.Get(1), out after);
        if (!isTaken && after.State != PageState.InUse)
        {
            ThrowStale(token);
        }

        return isTaken ? Errno.Ok : Errno.ENOMEM;
    }

    /// <summary>The frames of the folio that a lease refers to.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <returns>The frames.</returns>
    internal PfnRange FolioOf(PageToken token)
    {
        ref PageMeta meta = ref Resolve(token.Frame, out ulong head);
        var word = new PageCountWord(Volatile.Read(ref meta.Count));
        if (meta.Generation != token.Generation || word.State is not (PageState.InUse or PageState.Frozen))
        {
            ThrowStale(token);
        }

        return new PfnRange(new Pfn(head), PageCount.OfOrder(word.IsCompound ? word.Order : 0));
    }

    /// <summary>Shuts everybody out of a page if its references are exactly those that the caller can account for.</summary>
    /// <param name="page">The page, or the head of a folio.</param>
    /// <param name="expected">How many references; pins are never expected.</param>
    /// <returns>Whether it is frozen now.</returns>
    /// <remarks><b>Linux:</b> folio_ref_freeze (v6.12), which migration and splitting use.</remarks>
    internal bool TryFreeze(Pfn page, uint expected) =>
        PageTransitions.TryUpdate(ref Meta(page.Value).Count, new PageTransitions.Freeze(expected), out _);

    /// <summary>Opens a page that the caller froze.</summary>
    /// <param name="page">The page, or the head of a folio.</param>
    /// <param name="references">How many references it has from now on.</param>
    internal void Unfreeze(Pfn page, uint references)
    {
        bool isOpen = PageTransitions.TryUpdate(
            ref Meta(page.Value).Count, new PageTransitions.Unfreeze(references), out PageCountWord word);
        if (!isOpen)
        {
            Check.That(false, $"invariant 3: {page} must be frozen and get 1 to 2^31-1 references; it is {word}");
        }
    }

    /// <summary>The flags of a page.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The flags.</returns>
    internal PageFlags FlagsOf(Pfn page) => (PageFlags)(uint)(Volatile.Read(ref Meta(page.Value).Flags) & uint.MaxValue);

    /// <summary>Sets flags.</summary>
    /// <param name="page">The page.</param>
    /// <param name="flags">Which.</param>
    /// <returns>The flags before: what was set already.</returns>
    internal PageFlags SetFlags(Pfn page, PageFlags flags) =>
        (PageFlags)(uint)(Interlocked.Or(ref Meta(page.Value).Flags, (ulong)flags) & uint.MaxValue);

    /// <summary>Clears flags.</summary>
    /// <param name="page">The page.</param>
    /// <param name="flags">Which.</param>
    /// <returns>The flags before.</returns>
    internal PageFlags ClearFlags(Pfn page, PageFlags flags) =>
        (PageFlags)(uint)(Interlocked.And(ref Meta(page.Value).Flags, ~(ulong)flags) & uint.MaxValue);

    /// <summary>The metadata that answers for a frame: its own, or its folio's head's.</summary>
    /// <param name="frame">The frame's number.</param>
    /// <param name="head">The number of the frame that answers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref PageMeta Resolve(ulong frame, out ulong head)
    {
        ref PageMeta meta = ref Meta(frame);
        if (Volatile.Read(ref meta.Count) == 0)
        {
            return ref ResolvePart(frame, out head);
        }

        head = frame;
        return ref meta;
    }

    // A part of a folio counts nothing itself, as a free frame.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref PageMeta ResolvePart(ulong frame, out ulong head)
    {
        head = frame;
        for (int order = 1; order <= MaxFolioOrder; order++)
        {
            ulong candidate = frame & ~((1UL << order) - 1);
            if (candidate != head && ReachesAsFolio(candidate, order))
            {
                head = candidate;
                return ref Meta(candidate);
            }
        }

        return ref Meta(frame);
    }

    private bool ReachesAsFolio(ulong candidate, int order)
    {
        // A folio may start below the annex that the frame is in only if it lies in main, which any index below reaches.
        if (candidate >= main.Capacity && Spans.Find(candidate) is null)
        {
            return false;
        }

        var word = new PageCountWord(Volatile.Read(ref Meta(candidate).Count));
        return word.IsCompound && word.Order >= order;
    }

    private Errno TryTake(ulong frame, bool isPin, out PageToken token)
    {
        token = default;
        if (frame >= main.Capacity && Spans.Find(frame) is null)
        {
            return Errno.ENXIO;
        }

        ref PageMeta meta = ref Meta(frame);
        if (Volatile.Read(ref meta.Count) == 0)
        {
            return TryTakeBlank(frame, isPin, out token);
        }

        bool isTaken = isPin
            ? PageTransitions.TryUpdate(ref meta.Count, default(PageTransitions.Pin), out PageCountWord after)
            : PageTransitions.TryUpdate(ref meta.Count, new PageTransitions.Get(1), out after);
        token = isTaken ? new PageToken(frame, meta.Generation) : default; // stable: the reference is ours now
        return isTaken ? Errno.Ok : WhyNot(after);
    }

    // A blank word is one of three: no such frame, a tail of a folio, or device memory that nobody asked for yet.
    private Errno TryTakeBlank(ulong frame, bool isPin, out PageToken token)
    {
        token = default;
        FrameSpan? span = Spans.Find(frame);
        if (span is null)
        {
            return Errno.ENXIO;
        }

        for (int order = 1; order <= MaxFolioOrder; order++)
        {
            ulong candidate = frame & ~((1UL << order) - 1);
            if (candidate == frame || !ReachesAsFolio(candidate, order))
            {
                continue;
            }

            ref PageMeta head = ref Meta(candidate);
            if (!PageTransitions.TryUpdate(
                ref head.Count, new PageTransitions.GetThroughTail(order, isPin), out PageCountWord after))
            {
                return WhyNot(after);
            }

            token = new PageToken(frame, head.Generation);
            return Errno.Ok;
        }

        if (span.Zone != ZoneKind.Device)
        {
            return Errno.ENOENT;
        }

        _ = UseDeviceMeta(frame, span);
        return TryTake(frame, isPin, out token);
    }

    private static Errno WhyNot(PageCountWord word) => word.State switch
    {
        PageState.InUse => Errno.ENOMEM,
        PageState.Frozen => Errno.EAGAIN,
        _ => Errno.ENOENT,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FreeLast(ulong head, ref PageMeta meta, PageCountWord after)
    {
        var flags = new PageFlagsWord(Volatile.Read(ref meta.Flags));
        if (flags.Pagemap != 0)
        {
            ReturnToDevice(head);
            return;
        }

        allocator!.Free(head, ref meta, after.IsCompound ? after.Order : 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReturnToDevice(ulong head) => OwnerOf(head).OnLastReference(new Pfn(head));

    [MethodImpl(MethodImplOptions.NoInlining)]
    [DoesNotReturn]
    private void ThrowStale(PageToken token) =>
        throw new ObjectDisposedException(
            nameof(PageRef),
            $"the lease of {new Pfn(token.Frame)} (life {token.Generation}) was put before; the page is in life "
            + $"{Meta(token.Frame).Generation}, {new PageCountWord(Meta(token.Frame).Count)}");
}
