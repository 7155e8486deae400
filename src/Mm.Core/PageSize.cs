namespace Mm.Core;

/// <summary>One of the three page sizes of the modelled machine: 4 KiB, 2 MiB, 1 GiB.</summary>
/// <remarks>
/// <b>Linux:</b> PAGE_SIZE, PMD_SIZE and PUD_SIZE of x86-64 (v6.12). Other base page sizes are out of scope.
/// <para><c>default</c> is <see cref="Small"/>. Immutable.</para>
/// </remarks>
public readonly record struct PageSize
{
    // Stored as the distance from the base shift, so that default is the 4 KiB page and no value is invalid.
    private readonly byte extraShift;

    private PageSize(byte extraShift) => this.extraShift = extraShift;

    /// <summary>4 KiB: the size of a frame, and of a page-table entry's reach. <b>Linux:</b> PAGE_SIZE.</summary>
    public static PageSize Small => default;

    /// <summary>2 MiB: the reach of a middle page-table entry. <b>Linux:</b> PMD_SIZE.</summary>
    public static PageSize Large => new(9);

    /// <summary>1 GiB: the reach of an upper page-table entry. <b>Linux:</b> PUD_SIZE.</summary>
    public static PageSize Huge => new(18);

    /// <summary>The base-two logarithm of the size in bytes: 12, 21 or 30.</summary>
    public int Shift => 12 + extraShift;

    /// <summary>The buddy order of a block of this size: 0, 9 or 18.</summary>
    public int Order => extraShift;

    /// <summary>The size in bytes.</summary>
    public ByteCount Bytes => new(1UL << Shift);

    /// <summary>The size in pages of 4 KiB: 1, 512 or 262144.</summary>
    public PageCount Pages => new(1UL << extraShift);

    /// <summary>The bits of an address that lie inside a page of this size.</summary>
    internal ulong OffsetMask => (1UL << Shift) - 1;

    /// <summary>The size with its unit: <c>4 KiB</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Bytes.ToString();
}
