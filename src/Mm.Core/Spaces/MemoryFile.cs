using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Native;
using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <summary>A file whose pages are its only content: what stands for the page cache and for memfd.</summary>
/// <remarks>
/// Owns one reference of each page it has. Knows nothing of page tables: who maps it is told when pages go.
/// <para><b>Linux:</b> mm/memfd.c and mm/shmem.c (v6.12). Deliberate differences: no swap, no large folios, no wait for
/// pins to end before a write seal is refused; a file has no name and no mode.</para>
/// <para><b>States:</b> open → closed, when the creator and every mapping have let go; its pages are put then.</para>
/// <para><b>Invariants:</b> (1) every page lies below the size, rounded up; (2) bytes of the last page beyond the size are
/// zero unless a mapping wrote them; (3) with a write seal nothing maps the file to write; (4) seals are only added;
/// (5) testing a seal and acting on it are one step.</para>
/// <para><b>Locking:</b> safe from any thread; rank <see cref="LockRank.File"/>, held while pages are allocated and while
/// watchers are told.</para>
/// </remarks>
public sealed partial class MemoryFile : IDisposable, IValidator
{
    private const ulong PageBytes = 4096;
    private const ulong LargestSize = long.MaxValue;
    private const FileSeals AllSeals = (FileSeals)63;
    private const FileSeals WriteSeals = FileSeals.Write | FileSeals.FutureWrite;

    private readonly RankedLock gate = new(LockRank.File);
    private readonly PageAllocator allocator;
    private readonly PhysicalBytes bytes;
    private readonly Dictionary<ulong, PageRef> pages = []; // protected by gate
    private readonly List<FileMapping> mappings = []; // protected by gate
    private ulong size; // protected by gate
    private FileSeals seals; // protected by gate
    private bool isClosed; // protected by gate: the creator has let go

    /// <summary>An empty file.</summary>
    /// <param name="allocator">Where pages come from.</param>
    /// <param name="bytes">How their bytes are reached.</param>
    /// <param name="allowsSealing">Whether seals may be added. <b>Linux:</b> MFD_ALLOW_SEALING.</param>
    internal MemoryFile(PageAllocator allocator, PhysicalBytes bytes, bool allowsSealing = false)
    {
        this.allocator = allocator;
        this.bytes = bytes;
        seals = allowsSealing ? FileSeals.None : FileSeals.Seal;
    }

    /// <summary>What its pages remember it by; 0: they do not.</summary>
    internal ulong MappingWord { get; init; }

    /// <summary>Told when the last one has let go and the pages are put; under no lock of the file.</summary>
    internal Action<MemoryFile>? Ended { get; init; }

    /// <summary>How many bytes it has.</summary>
    public ByteCount Size
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return new ByteCount(size);
        }
    }

    /// <summary>What is sealed.</summary>
    public FileSeals Seals
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return seals;
        }
    }

    /// <summary>How many pages it has in memory; the rest are holes.</summary>
    public PageCount PagesInMemory
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return new PageCount((ulong)pages.Count);
        }
    }

    /// <summary>Makes it larger, with zeros, or smaller: mappings are told, then pages beyond the end go.</summary>
    /// <param name="newSize">The new size in bytes, below 2^63.</param>
    /// <returns>Ok; EINVAL: 2^63 bytes or more; EPERM: sealed against growing or shrinking.</returns>
    public Errno TryResize(ByteCount newSize)
    {
        if (newSize.Value > LargestSize)
        {
            return Errno.EINVAL;
        }

        FileMapping[] told = [];
        using (gate.Enter())
        {
            ThrowIfGone();
            FileSeals against = newSize.Value < size ? FileSeals.Shrink : newSize.Value > size ? FileSeals.Grow : FileSeals.None;
            if ((seals & against) != FileSeals.None)
            {
                return Errno.EPERM;
            }

            told = newSize.Value < size ? [.. mappings] : [];
            size = newSize.Value;
        }

        if (told.Length != 0)
        {
            Truncate(told);
        }
        else
        {
            using RankedLock.Guard _ = gate.Enter();
            RemovePages();
        }

        return Errno.Ok;
    }

    /// <summary>Adds seals.</summary>
    /// <param name="added">Which.</param>
    /// <returns>Ok; EINVAL: bits that are no seals; EPERM: sealed against sealing, or never sealable; EBUSY: a write seal,
    /// and a mapping may write or somebody else holds a page (memfd_wait_for_pins).</returns>
    public Errno TryAddSeals(FileSeals added)
    {
        if ((added & ~AllSeals) != FileSeals.None)
        {
            return Errno.EINVAL;
        }

        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        if ((seals & FileSeals.Seal) != FileSeals.None)
        {
            return Errno.EPERM;
        }

        if ((added & ~seals & FileSeals.Write) != FileSeals.None
            && (mappings.Exists(static mapping => mapping.MayWrite) || HasPageInUse()))
        {
            return Errno.EBUSY;
        }

        seals |= added;
        return Errno.Ok;
    }

    /// <summary>Lets an area map the file.</summary>
    /// <param name="wanted">What the area is to be: shared or private, of this file.</param>
    /// <param name="watcher">Who is told when pages go.</param>
    /// <param name="mapping">The hold on the file, with the traits that the seals leave; the area disposes it.</param>
    /// <returns>Ok; EPERM: shared and writable, and the file is sealed against writing.</returns>
    /// <exception cref="ArgumentException"><paramref name="wanted"/> is not an area of a file.</exception>
    internal Errno TryMap(AreaTraits wanted, IFileWatcher watcher, out FileMapping? mapping)
    {
        if (wanted.Kind is not (AreaKind.FilePrivate or AreaKind.FileShared or AreaKind.AnonymousShared))
        {
            throw new ArgumentException($"wanted must be an area of a file; it is {wanted.Kind}", nameof(wanted));
        }

        mapping = null;
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        bool isSealed = wanted.IsShared && (seals & WriteSeals) != FileSeals.None;
        if (isSealed && (wanted.Access & AreaAccess.Write) != AreaAccess.None)
        {
            return Errno.EPERM;
        }

        AreaTraits given = wanted with { Backing = this, Forbidden = wanted.Forbidden | (isSealed ? AreaAccess.Write : AreaAccess.None) };
        mapping = new FileMapping(this, given, watcher);
        mappings.Add(mapping);
        return Errno.Ok;
    }

    /// <summary>Lets an area of a child map the file as its parent's does, whatever was sealed since.</summary>
    /// <param name="traits">What the area is.</param>
    /// <param name="watcher">Who is told when pages go.</param>
    /// <returns>The hold on the file.</returns>
    internal FileMapping MapInherited(AreaTraits traits, IFileWatcher watcher)
    {
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        var mapping = new FileMapping(this, traits, watcher);
        mappings.Add(mapping);
        return mapping;
    }

    /// <summary>A page of the file, made if there is none yet.</summary>
    /// <param name="index">Which.</param>
    /// <param name="page">A reference of it; the caller disposes it.</param>
    /// <returns>Ok; EINVAL: it lies beyond the size, where a fault is SIGBUS; ENOMEM: no memory for it.</returns>
    public Errno TryGetPage(PageCount index, out PageRef page)
    {
        page = default;
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        Errno errno = TryMake(index.Value, OwnPlacement, out PageRef own);
        return errno.IsOk ? own.TryAddReference(out page) : errno;
    }

    /// <summary>A page of the file that is in memory.</summary>
    /// <param name="index">Which.</param>
    /// <param name="page">A reference of it; the caller disposes it.</param>
    /// <returns>Whether there is one, below the size. <b>Linux:</b> filemap_get_folio.</returns>
    internal bool TryFindPage(PageCount index, out PageRef page)
    {
        page = default;
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        return index < new ByteCount(size).ToPagesRoundUp()
            && pages.TryGetValue(index.Value, out PageRef own) && own.TryAddReference(out page).IsOk;
    }

    /// <summary>Who maps the file.</summary>
    /// <returns>A copy of the list.</returns>
    internal FileMapping[] CollectMappings()
    {
        using RankedLock.Guard _ = gate.Enter();
        return [.. mappings];
    }

    /// <summary>Pins neighbouring pages of a file whose seals are as they must be; tested and done in one step.
    /// <b>Linux:</b> memfd_pin_folios under the inode's lock, as udmabuf calls it.</summary>
    /// <param name="required">Seals that must be there.</param>
    /// <param name="refused">Seals that must not be there.</param>
    /// <param name="first">The first page.</param>
    /// <param name="pins">One pin a page, to be disposed by the caller; none when refused.</param>
    /// <returns>Ok; EINVAL: the seals are others, or the pages do not all end below the size; ENOMEM: no memory for a page.</returns>
    public Errno TryPinSealed(FileSeals required, FileSeals refused, PageCount first, Span<PagePin> pins)
    {
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        if ((seals & required) != required || (seals & refused) != FileSeals.None || !HasPages(first, pins.Length))
        {
            return Errno.EINVAL;
        }

        for (int index = 0; index < pins.Length; index++)
        {
            Errno errno = TryMake(first.Value + (ulong)index, OwnPlacement, out PageRef own);
            errno = errno.IsOk ? own.TryPin(out pins[index]) : errno;
            if (!errno.IsOk)
            {
                foreach (ref PagePin pin in pins[..index])
                {
                    pin.Dispose();
                    pin = default;
                }

                return errno;
            }
        }

        return Errno.Ok;
    }

    /// <summary>Reads bytes; holes read as zeros.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="into">Where to.</param>
    /// <returns>How many were read: less than asked at the end of the file.</returns>
    public int Read(ByteCount offset, Span<byte> into)
    {
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        int total = offset.Value >= size ? 0 : (int)Math.Min((ulong)into.Length, size - offset.Value);
        for (int done = 0; done < total;)
        {
            ulong at = offset.Value + (ulong)done;
            Span<byte> part = into.Slice(done, Math.Min(total - done, (int)(PageBytes - (at % PageBytes))));
            if (pages.TryGetValue(at / PageBytes, out PageRef page))
            {
                using SpanLease lease = Lease(page, at % PageBytes, part.Length);
                lease.Bytes.CopyTo(part);
            }
            else
            {
                part.Clear();
            }

            done += part.Length;
        }

        return total;
    }

    /// <summary>Writes bytes, page by page; the file grows as needed.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="from">What.</param>
    /// <param name="written">How many were written: less than asked when a later page is refused.</param>
    /// <returns>Ok, if any was written or none was asked; EINVAL: it would pass 2^63 bytes; EPERM: sealed against writing,
    /// or against growing; ENOMEM: no memory for a page.</returns>
    public Errno TryWrite(ByteCount offset, ReadOnlySpan<byte> from, out int written)
    {
        written = 0;
        if (offset.Value > LargestSize - (ulong)from.Length)
        {
            return Errno.EINVAL;
        }

        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        while (written < from.Length)
        {
            ulong at = offset.Value + (ulong)written;
            ReadOnlySpan<byte> part = from.Slice(written, Math.Min(from.Length - written, (int)(PageBytes - (at % PageBytes))));
            Errno errno = TryWritePart(at, part);
            if (!errno.IsOk)
            {
                return written == 0 ? errno : Errno.Ok;
            }

            written += part.Length;
        }

        return Errno.Ok;
    }

    /// <inheritdoc/>
    public void Validate()
    {
        using RankedLock.Guard _ = gate.Enter();
        ulong limit = new ByteCount(size).ToPagesRoundUp().Value;
        foreach (ulong index in pages.Keys)
        {
            Check.That(index < limit, $"invariant 1: page {index} of a file of {size} bytes");
        }

        bool mayWrite = mappings.Exists(static mapping => mapping.MayWrite);
        Check.That((seals & FileSeals.Write) == FileSeals.None || !mayWrite, "invariant 3: a sealed file is mapped to write");
    }

    /// <summary>The creator lets go. Mappings keep the pages. Twice does nothing.</summary>
    public void Dispose()
    {
        bool isGone;
        using (gate.Enter())
        {
            isGone = !isClosed && mappings.Count == 0;
            isClosed = true;
            PutPagesIfGone();
        }

        if (isGone)
        {
            Ended?.Invoke(this);
        }
    }

    /// <summary>A mapping lets go.</summary>
    /// <param name="mapping">The mapping.</param>
    internal void EndMapping(FileMapping mapping)
    {
        bool isGone;
        using (gate.Enter())
        {
            Check.That(mappings.Remove(mapping), "a mapping ends once");
            isGone = isClosed && mappings.Count == 0;
            PutPagesIfGone();
        }

        if (isGone)
        {
            Ended?.Invoke(this);
        }
    }

    private void ThrowIfGone() => ObjectDisposedException.ThrowIf(isClosed && mappings.Count == 0, this);

    private void PutPagesIfGone()
    {
        if (isClosed && mappings.Count == 0)
        {
            foreach (PageRef page in pages.Values)
            {
                Put(page);
            }

            pages.Clear();
        }
    }

    // The file holds one reference, and each entry that maps the page another: whatever is more is somebody's use of it.
    private bool HasPageInUse()
    {
        foreach (PageRef page in pages.Values)
        {
            PageInfo info = page.Info;
            if (info.References != info.MapCount + 1)
            {
                return true;
            }
        }

        return false;
    }

    // To its last byte, as memfd_pin_folios wants it: half a page at the end does not count.
    private bool HasPages(PageCount first, int count) =>
        count > 0 && (ulong)count <= size / PageBytes && first.Value <= (size / PageBytes) - (ulong)count;

    private Errno TryMake(ulong index, Placement? placement, out PageRef page)
    {
        page = default;
        if (index >= new ByteCount(size).ToPagesRoundUp().Value)
        {
            return Errno.EINVAL;
        }

        if (pages.TryGetValue(index, out page))
        {
            return Errno.Ok;
        }

        AllocationRequest request = AllocationRequest.User with { IsZeroed = true };
        Errno errno = placement is null
            ? allocator.TryAllocate(request, out page)
            : placement.TryAllocate(request, policies.Find(new PageCount(index)), TurnBias + index, out page);
        if (errno.IsOk)
        {
            pages.Add(index, page);
            if (MappingWord != 0)
            {
                page.Table.SetBelongsTo(page.Page, MappingWord, index);
                _ = page.Table.SetFlags(page.Page, PageFlags.Lru | PageFlags.Uptodate | PageFlags.SwapBacked);
            }
        }

        return errno;
    }

    private Errno TryWritePart(ulong at, ReadOnlySpan<byte> part)
    {
        ulong end = at + (ulong)part.Length;
        if ((seals & WriteSeals) != FileSeals.None || (end > size && (seals & FileSeals.Grow) != FileSeals.None))
        {
            return Errno.EPERM;
        }

        ulong before = size;
        size = Math.Max(size, end);
        Errno errno = TryMake(at / PageBytes, OwnPlacement, out PageRef page);
        if (!errno.IsOk)
        {
            size = before;
            return errno;
        }

        using SpanLease lease = Lease(page, at % PageBytes, part.Length);
        part.CopyTo(lease.Bytes);
        return Errno.Ok;
    }

    private SpanLease Lease(PageRef page, ulong offset, int length)
    {
        var range = new PhysRange(new PhysAddr(page.Page.Address.Value + offset), new ByteCount((ulong)length));
        Check.That(bytes.TryLease(range, out SpanLease lease).IsOk, "a page of RAM has bytes");
        return lease;
    }
}
