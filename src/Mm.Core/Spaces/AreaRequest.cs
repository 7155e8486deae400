namespace Mm.Core.Spaces;

/// <summary>What a process asks of a new mapping.</summary>
/// <remarks><b>Linux:</b> the arguments of mmap (v6.12). <c>default</c> asks for nothing. Immutable.</remarks>
/// <param name="Length">How many bytes; rounded up to pages.</param>
/// <param name="Traits">What it is to be.</param>
public readonly record struct AreaRequest(ByteCount Length, AreaTraits Traits)
{
    /// <summary>Where; a wish or a demand, as <see cref="Placement"/> says. 0 wishes nothing.</summary>
    public VirtAddr At { get; init; }

    /// <summary>How strongly.</summary>
    public AreaPlacement Placement { get; init; }

    /// <summary>Which page of the backing comes first; of no account for private anonymous memory.</summary>
    public PageCount Offset { get; init; }
}
