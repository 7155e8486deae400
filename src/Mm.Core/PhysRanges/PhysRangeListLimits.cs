namespace Mm.Core.PhysRanges;

/// <summary>What a list under construction may grow to.</summary>
/// <remarks>
/// <para><b>Linux:</b> BIO_MAX_VECS, and the entry counts that sg_alloc_table() takes (v6.12); a limit of its own of the
/// modelled call, hence a refusal and no exception.</para>
/// <para><c>default</c> is <see cref="None"/>. Immutable.</para>
/// </remarks>
public readonly record struct PhysRangeListLimits
{
    // Stored less than the largest count, so that default is no limit.
    private readonly int belowMaximum;

    /// <summary>A limit on the number of ranges.</summary>
    /// <param name="maxRanges">How many ranges a list may have after merging; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxRanges"/> is below 1.</exception>
    public PhysRangeListLimits(int maxRanges)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRanges, 1);
        belowMaximum = Array.MaxLength - Math.Min(maxRanges, Array.MaxLength);
    }

    /// <summary>As many ranges as an array can hold.</summary>
    public static PhysRangeListLimits None => default;

    /// <summary>How many ranges a list may have after merging.</summary>
    public int MaxRanges => Array.MaxLength - belowMaximum;
}
