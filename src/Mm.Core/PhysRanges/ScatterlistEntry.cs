namespace Mm.Core.PhysRanges;

/// <summary>One entry of a scatterlist: bytes that start in a page and may run on into the pages that follow it.</summary>
/// <remarks>
/// <para><b>Linux:</b> page_link, offset and length of struct scatterlist (v6.12), 16 of its 32 bytes. Deliberate
/// difference: the DMA side is not part of it; a mapping keeps that.</para>
/// <para><b>Invariants:</b> (1) offset and length are below 2^32; (2) the bytes do not pass the top of the address space.</para>
/// <para><c>default</c> is no bytes of frame 0. Immutable.</para>
/// </remarks>
public readonly record struct ScatterlistEntry
{
    private readonly uint offset;
    private readonly uint length;

    internal ScatterlistEntry(PhysRange range)
    {
        Page = range.Start.Pfn;
        offset = (uint)range.Start.OffsetIn(PageSize.Small).Value;
        length = checked((uint)range.Length.Value);
    }

    /// <summary>The page in which the bytes start.</summary>
    public Pfn Page { get; }

    /// <summary>Where in the page they start; below 4 KiB.</summary>
    public ByteCount Offset => new(offset);

    /// <summary>How many bytes; below 2^32.</summary>
    public ByteCount Length => new(length);

    /// <summary>The addresses of the bytes.</summary>
    public PhysRange Range => new(Page.Address.AddChecked(Offset), Length);
}
