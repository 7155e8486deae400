using Mm.Core;

namespace Mm.Hmm.Copying;

/// <summary>One page to be written: with what another page holds, or with zeroes.</summary>
/// <remarks>
/// <b>Linux:</b> what a driver's copy in migrate_vma's middle does for one entry of src and dst (v6.12); no one struct.
/// <para><b>Invariants:</b> (1) source and destination are aligned to the size and share no byte.</para>
/// <para><c>default</c> clears frame 0. Immutable.</para>
/// </remarks>
public readonly record struct PageCopy
{
    private readonly bool hasSource; // so that default has none

    private PageCopy(Pfn source, Pfn destination, PageSize size, bool hasSource)
    {
        Source = source;
        Destination = destination;
        Size = size;
        this.hasSource = hasSource;
    }

    /// <summary>The page that is read; <see cref="Pfn.Zero"/> for one that is cleared.</summary>
    public Pfn Source { get; }

    /// <summary>The page that is written.</summary>
    public Pfn Destination { get; }

    /// <summary>How large both are: 4 KiB or 2 MiB.</summary>
    public PageSize Size { get; }

    /// <summary>Whether the destination is cleared, and nothing read.</summary>
    public bool IsClear => !hasSource;

    /// <summary>The frames that are read; empty when the page is cleared.</summary>
    public PfnRange Reads => new(Source, hasSource ? Size.Pages : PageCount.Zero);

    /// <summary>The frames that are written.</summary>
    public PfnRange Writes => new(Destination, Size.Pages);

    /// <summary>A copy.</summary>
    /// <param name="source">The page to read.</param>
    /// <param name="destination">The page to write.</param>
    /// <param name="size">How large both are: 4 KiB or 2 MiB.</param>
    /// <returns>The entry.</returns>
    /// <exception cref="ArgumentException">A page is not aligned to the size, they are the same, or the size is 1 GiB.</exception>
    public static PageCopy Of(Pfn source, Pfn destination, PageSize size = default)
    {
        RequirePage(source, size, nameof(source));
        RequirePage(destination, size, nameof(destination));
        if (source == destination)
        {
            throw new ArgumentException($"destination must be another page than the source; both are {source}", nameof(destination));
        }

        return new PageCopy(source, destination, size, hasSource: true);
    }

    /// <summary>A page that becomes zero.</summary>
    /// <param name="destination">The page to write.</param>
    /// <param name="size">How large it is: 4 KiB or 2 MiB.</param>
    /// <returns>The entry.</returns>
    /// <exception cref="ArgumentException">The page is not aligned to the size, or the size is 1 GiB.</exception>
    public static PageCopy Clear(Pfn destination, PageSize size = default)
    {
        RequirePage(destination, size, nameof(destination));
        return new PageCopy(Pfn.Zero, destination, size, hasSource: false);
    }

    /// <summary>What is done, in words: <c>pfn 0x1 -> pfn 0x2, 4 KiB</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{(IsClear ? "zero" : Source)} -> {Destination}, {Size}";

    private static void RequirePage(Pfn page, PageSize size, string name)
    {
        if (size == PageSize.Huge)
        {
            throw new ArgumentException($"a page to copy is 4 KiB or 2 MiB; size is {size}", nameof(size));
        }

        if (page > Pfn.MaxValue || !page.IsAligned(size.Order))
        {
            throw new ArgumentException($"{name} must be aligned to {size} and have an address; it is {page}", name);
        }
    }
}
