using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Core.Frames;

/// <summary>The metadata of every frame that has any: from a frame's number to its page.</summary>
/// <remarks>
/// Owns the metadata and the rules of references, pins and folios. Not responsible for which page is handed out when:
/// RAM is the allocator's, device memory its page map's.
/// <para><b>Linux:</b> the vmemmap, pfn_to_page, folio_try_get, folio_put, try_grab_folio (v6.12). RAM lies in one
/// reserved range indexed by frame number; device memory above it gets a range of its own, so that private memory at
/// the top of physical address space does not reserve terabytes of metadata.</para>
/// <para><b>States:</b> see <see cref="PageState"/>.</para>
/// <para><b>Invariants:</b> (1) metadata that is not blank belongs to a frame of a span; (2) a blank frame of RAM is free,
/// or inside a block whose head is found by aligning its number down; (3) a page whose last reference goes is frozen
/// until its owner has it back.</para>
/// <para><b>Locking:</b> counts are atomic; spans are replaced under a leaf lock; nobody is called with it held.</para>
/// </remarks>
public sealed partial class FrameTable : IDisposable
{
    /// <summary>The largest order of a folio: 1 GiB of 4 KiB pages.</summary>
    internal const int MaxFolioOrder = 18;

    // Sparse tables in huge pages would cost 2 MiB for the first page of each 128 MiB; above this size that hurts.
    private const ulong DenseFrames = 1UL << 24;

    private readonly NativeTable<PageMeta> main;
    private readonly MachineMemory memory;
    private readonly RankedLock gate = new(LockRank.Leaf); // spans, annexes and the first use of device metadata
    private FrameSpans spans; // replaced under gate; read with acquire
    private FrameAnnex[] annexes = []; // replaced under gate; read with acquire
    private PageAllocator? allocator; // set once while the machine is built

    /// <summary>Reserves metadata for RAM.</summary>
    /// <param name="memory">How to reserve memory.</param>
    /// <param name="spans">The RAM, split by node and zone.</param>
    internal FrameTable(MachineMemory memory, IEnumerable<FrameSpan> spans)
    {
        this.memory = memory;
        this.spans = new FrameSpans(spans);
        ulong end = this.spans.All.Count == 0 ? 0 : this.spans.All[^1].End;

        // Whole blocks of the largest order, so that the buddy of any frame has an index.
        ulong capacity = (end + FrameZone.MaxBlockFrames - 1) & ~(FrameZone.MaxBlockFrames - 1);
        main = memory.ReserveTable<PageMeta>(capacity, hugePages: capacity <= DenseFrames);
    }

    /// <summary>Which frames have metadata.</summary>
    internal FrameSpans Spans => Volatile.Read(ref spans);

    /// <summary>The metadata of RAM, for the allocator.</summary>
    internal NativeTable<PageMeta> Main => main;

    /// <summary>Whether a frame has metadata.</summary>
    /// <param name="page">The frame.</param>
    /// <returns>Whether it has: RAM, or device memory with a page map.</returns>
    /// <remarks><b>Linux:</b> pfn_valid (v6.12).</remarks>
    public bool HasMetadata(Pfn page) => Spans.Find(page.Value) is not null;

    /// <summary>Takes a reference to a page that may be free or on its way there.</summary>
    /// <param name="page">The page; a tail references its folio.</param>
    /// <param name="reference">The reference, or an empty one when refused; the caller disposes it.</param>
    /// <returns>
    /// <see cref="Errno.ENXIO"/>: the frame has no metadata.
    /// <see cref="Errno.ENOENT"/>: the page is free: nobody holds it.
    /// <see cref="Errno.EAGAIN"/>: the page is frozen: its one owner is changing or freeing it.
    /// <see cref="Errno.ENOMEM"/>: the count would pass its bound of 2^31-1.
    /// </returns>
    public Errno TryGet(Pfn page, out PageRef reference)
    {
        Errno errno = TryTake(page.Value, isPin: false, out PageToken token);
        reference = errno.IsOk ? new PageRef(this, token) : default;
        return errno;
    }

    /// <summary>Pins a page that may be free or on its way there.</summary>
    /// <param name="page">The page; a tail pins its folio.</param>
    /// <param name="pin">The pin, or an empty one when refused; the caller disposes it.</param>
    /// <returns>
    /// <see cref="Errno.ENXIO"/>: the frame has no metadata.
    /// <see cref="Errno.ENOENT"/>: the page is free: nobody holds it.
    /// <see cref="Errno.EAGAIN"/>: the page is frozen: its one owner is changing or freeing it.
    /// <see cref="Errno.ENOMEM"/>: the references would pass 2^31-1, or the folio's pins 2^23-1.
    /// </returns>
    public Errno TryPin(Pfn page, out PagePin pin)
    {
        Errno errno = TryTake(page.Value, isPin: true, out PageToken token);
        pin = errno.IsOk ? new PagePin(this, token) : default;
        return errno;
    }

    /// <summary>What is known of a page now.</summary>
    /// <param name="page">The page.</param>
    /// <returns>A copy.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has no metadata.</exception>
    public PageInfo Describe(Pfn page)
    {
        FrameSpan span = Spans.Find(page.Value)
            ?? throw new ArgumentOutOfRangeException(nameof(page), page, $"page must have metadata; {page} has none");
        ref PageMeta meta = ref Resolve(page.Value, out ulong head);
        var word = new PageCountWord(Volatile.Read(ref meta.Count));
        if (word.State == PageState.Blank && span.Zone == ZoneKind.Device)
        {
            word = span.IdleCount;
        }

        bool isFresh = word.State == PageState.Blank || meta.Flags == 0;
        var flags = isFresh ? span.FreshFlags : new PageFlagsWord(Volatile.Read(ref meta.Flags));
        return new PageInfo(
            page, new Pfn(head), word.Order, word.State, word.IsCompound, word.References, word.Pins,
            word.MaybePinned, meta.MapCount, flags.Flags, flags.Node, flags.Zone, flags.Pagemap != 0);
    }

    /// <summary>Gives the metadata back.</summary>
    public void Dispose()
    {
        main.Dispose();
        foreach (FrameAnnex annex in Volatile.Read(ref annexes))
        {
            annex.Table.Dispose();
        }
    }

    /// <summary>Tells the table who gets RAM back.</summary>
    /// <param name="owner">The allocator.</param>
    internal void Attach(PageAllocator owner)
    {
        Check.That(allocator is null, "a frame table has one allocator");
        allocator = owner;
    }

    /// <summary>The metadata of a frame that is known to have some, itself and not its head's.</summary>
    /// <param name="frame">The frame's number.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref PageMeta Meta(ulong frame)
    {
        if (frame < main.Capacity)
        {
            return ref main[frame];
        }

        return ref MetaAbove(frame);
    }

    /// <summary>Tells the processor that a page's metadata will be wanted soon.</summary>
    /// <param name="frame">The frame's number.</param>
    internal void Prefetch(ulong frame) => main.Prefetch(frame);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref PageMeta MetaAbove(ulong frame)
    {
        foreach (FrameAnnex annex in Volatile.Read(ref annexes))
        {
            if (annex.Range.Contains(new Pfn(frame)))
            {
                return ref annex.Table[frame - annex.Range.Start.Value];
            }
        }

        ThrowNoMetadata(frame);
        return ref main[0];
    }

    [DoesNotReturn]
    private void ThrowNoMetadata(ulong frame)
    {
        ObjectDisposedException.ThrowIf(main.Capacity == 0 && Spans.Find(frame) is not null, this);
        throw new ArgumentOutOfRangeException(
            nameof(frame), frame, $"frame must have metadata; pfn 0x{frame:x} has none, or its page map is gone");
    }

    /// <summary>Metadata of device memory above RAM.</summary>
    private sealed record FrameAnnex(PfnRange Range, NativeTable<PageMeta> Table);
}
