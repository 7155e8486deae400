namespace Mm.Core.PhysRanges;

/// <summary>One segment of a bio: bytes that start in a page and may run on into the pages that follow it.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct bio_vec {bv_page, bv_len, bv_offset} (v6.12), 16 bytes. Deliberate difference: the offset
/// stays below 4 KiB, as a page number names any page.</para>
/// <para><b>Invariants:</b> (1) offset and length are below 2^32; (2) the bytes do not pass the top of the address space.</para>
/// <para><c>default</c> is no bytes of frame 0. Immutable.</para>
/// </remarks>
public readonly record struct BioVec
{
    private readonly uint length;
    private readonly uint offset;

    internal BioVec(PhysRange range)
    {
        Page = range.Start.Pfn;
        length = checked((uint)range.Length.Value);
        offset = (uint)range.Start.OffsetIn(PageSize.Small).Value;
    }

    /// <summary>The page in which the bytes start.</summary>
    public Pfn Page { get; }

    /// <summary>How many bytes; below 2^32.</summary>
    public ByteCount Length => new(length);

    /// <summary>Where in the page they start; below 4 KiB.</summary>
    public ByteCount Offset => new(offset);

    /// <summary>The addresses of the bytes.</summary>
    public PhysRange Range => new(Page.Address.AddChecked(Offset), Length);
}
