namespace Mm.Core.PhysRanges;

/// <summary>Memory with page descriptors as the segments of one block request.</summary>
/// <remarks>
/// It names pages and holds no references to them. A bio is homogeneous with respect to peer memory: once it has a page of
/// a PCI_P2PDMA page map it takes only pages of that one, and once it has anything else it takes no peer memory.
/// RAM and the other page maps may share a bio, though not a segment. Reusable: <see cref="Clear"/> keeps the storage.
/// <para><b>Linux:</b> struct bio, bio_add_page() and bvec_try_merge_page() (block/bio.c, v6.12 with the stable fix that
/// brought zone_device_pages_compatible()).</para>
/// <para><b>Invariants:</b> (1) no segment is empty or spans two owners; (2) if a segment is peer memory, all have
/// that owner; (3) <see cref="Length"/> is the sum of the lengths and below 2^32.</para>
/// <para><b>Locking:</b> the caller's: one thread at a time.</para>
/// </remarks>
public sealed class Bio
{
    private readonly IRangeOwnerSource owners;
    private readonly BioVec[] vectors;
    private RangeOwner? lastOwner;

    /// <summary>Makes an empty bio.</summary>
    /// <param name="owners">Says which page map owns a page.</param>
    /// <param name="maxVectors">The most segments, in [1, 256]. <b>Linux:</b> bi_max_vecs, at most BIO_MAX_VECS.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxVectors"/> is not in [1, 256].</exception>
    public Bio(IRangeOwnerSource owners, int maxVectors = 256)
    {
        ArgumentNullException.ThrowIfNull(owners);
        if (maxVectors is < 1 or > 256)
        {
            throw new ArgumentOutOfRangeException(nameof(maxVectors), maxVectors, "maxVectors must be in [1, 256]");
        }

        this.owners = owners;
        vectors = new BioVec[maxVectors];
    }

    /// <summary>How many segments.</summary>
    public int Count { get; private set; }

    /// <summary>The most segments.</summary>
    public int MaxVectors => vectors.Length;

    /// <summary>The bytes of all segments.</summary>
    public ByteCount Length { get; private set; }

    /// <summary>The segments in order; good until the next call that adds or clears.</summary>
    public ReadOnlySpan<BioVec> Vectors => vectors.AsSpan(0, Count);

    /// <summary>The provider of every byte, if the bio is peer memory; else null.</summary>
    public IP2pProvider? Provider => lastOwner?.Provider;

    /// <summary>Adds bytes of a page, and of the pages that follow it if they are more.</summary>
    /// <param name="page">The page in which the bytes start.</param>
    /// <param name="offset">Where in the page they start; below 4 KiB.</param>
    /// <param name="length">How many bytes; at least 1.</param>
    /// <param name="refusal">Why none were taken.</param>
    /// <returns>The bytes taken: all, or zero.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is not in its range, or the bytes pass 2^64.</exception>
    public ByteCount AddPage(Pfn page, ByteCount offset, ByteCount length, out BioRefusal refusal)
    {
        if (offset.Value >= PageSize.Small.Bytes.Value)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "offset must be in [0, 0x1000)");
        }

        if (page > Pfn.MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(page), page, $"page must be in [0, {Pfn.MaxValue}]");
        }

        ArgumentOutOfRangeException.ThrowIfZero(length.Value, nameof(length));
        var range = new PhysRange(page.Address.AddChecked(offset), length);
        RangeOwner? owner = OwnerOfAll(range);
        refusal = Judge(range, owner);
        if (refusal != BioRefusal.None)
        {
            return ByteCount.Zero;
        }

        Take(range, owner);
        return length;
    }

    /// <summary>Adds bytes of a list from a position, range by range, as far as they fit.</summary>
    /// <param name="list">The list.</param>
    /// <param name="position">The first byte of the list to add; at most its length. The next bio goes on where this one ends.</param>
    /// <param name="refusal">Why not all were taken.</param>
    /// <returns>The bytes taken, from zero to all that are left.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The position is behind the list's end.</exception>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public ByteCount AddRanges(PhysRangeList list, ByteCount position, out BioRefusal refusal)
    {
        ArgumentNullException.ThrowIfNull(list);
        if (position > list.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(position), position, $"position must be in [0, {list.Length}]");
        }

        refusal = BioRefusal.None;
        ulong skipped = position.Value;
        ByteCount taken = ByteCount.Zero;
        foreach (OwnerRun run in list.OwnerRuns)
        {
            foreach (PhysRange whole in list.Ranges.Slice(run.FirstRange, run.RangeCount))
            {
                ulong skip = Math.Min(skipped, whole.Length.Value);
                skipped -= skip;
                PhysRange range = whole.Slice(new ByteCount(skip), new ByteCount(whole.Length.Value - skip));
                ByteCount added = AddRange(range, run.Owner, ref refusal);
                taken = taken.AddChecked(added);
                if (added != range.Length)
                {
                    return taken;
                }
            }
        }

        return taken;
    }

    /// <summary>Appends the bytes of all segments to a list under construction.</summary>
    /// <param name="builder">Takes the ranges; it merges as it does.</param>
    /// <returns>As <see cref="PhysRangeListBuilder.TryAppend(PhysRange)"/>; refused, the builder is as it was.</returns>
    public Errno TryAppendTo(PhysRangeListBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.TryAppendAll(Vectors, static vector => vector.Range);
    }

    /// <summary>Removes all segments; the storage stays.</summary>
    public void Clear()
    {
        Count = 0;
        Length = default;
        lastOwner = null;
    }

    // A range can be longer than a bio: what does not fit in bytes is left, cut at a page border.
    private ByteCount AddRange(PhysRange range, RangeOwner owner, ref BioRefusal refusal)
    {
        if (range.IsEmpty)
        {
            return ByteCount.Zero;
        }

        ulong room = uint.MaxValue - Length.Value;
        PhysRange fitting = range;
        if (range.Length.Value > room)
        {
            ulong pastEnd = range.Start.OffsetIn(PageSize.Small).Value + room;
            ulong cut = pastEnd & PageSize.Small.OffsetMask;
            fitting = range.Slice(ByteCount.Zero, new ByteCount(room > cut ? room - cut : 0));
            refusal = BioRefusal.TooLarge;
        }

        if (fitting.IsEmpty)
        {
            return ByteCount.Zero;
        }

        BioRefusal judged = Judge(fitting, owner);
        if (judged != BioRefusal.None)
        {
            refusal = judged;
            return ByteCount.Zero;
        }

        Take(fitting, owner);
        return fitting.Length;
    }

    private BioRefusal Judge(PhysRange range, RangeOwner? owner)
    {
        if (owner is null || !owner.HasPages)
        {
            return BioRefusal.NoPage;
        }

        if (range.Length.Value > uint.MaxValue - Length.Value)
        {
            return BioRefusal.TooLarge;
        }

        bool isMixed = lastOwner is not null && (lastOwner.IsPeer || owner.IsPeer) && !ReferenceEquals(owner, lastOwner);
        if (isMixed)
        {
            return BioRefusal.MixedOwners;
        }

        return Count == vectors.Length && !Merges(range, owner) ? BioRefusal.Full : BioRefusal.None;
    }

    private bool Merges(PhysRange range, RangeOwner? owner) =>
        Count > 0 && ReferenceEquals(owner, lastOwner) && vectors[Count - 1].Range.IsFollowedBy(range);

    private void Take(PhysRange range, RangeOwner? owner)
    {
        if (Merges(range, owner))
        {
            PhysRange last = vectors[Count - 1].Range;
            vectors[Count - 1] = new BioVec(new PhysRange(last.Start, last.Length.AddChecked(range.Length)));
        }
        else
        {
            vectors[Count++] = new BioVec(range);
        }

        lastOwner = owner;
        Length = Length.AddChecked(range.Length);
    }

    // Null when the bytes have no owner or several: a caller that names a run of pages names one folio.
    private RangeOwner? OwnerOfAll(PhysRange range)
    {
        RangeOwner? owner = owners.FindOwner(range.Start, out PhysRange extent);
        while (owner is not null && !extent.Contains(range) && extent.TryGetEnd(out PhysAddr next) && range.Contains(next))
        {
            owner = ReferenceEquals(owners.FindOwner(next, out extent), owner) ? owner : null;
            range = range.Slice(next.OffsetFrom(range.Start), range.Length.SubtractChecked(next.OffsetFrom(range.Start)));
        }

        return owner;
    }
}
