namespace Mm.Core.Spaces;

/// <summary>What <see cref="PageTables.Rewrite"/> makes of the entries of a range: a zap, a change of protection, a fork.</summary>
/// <remarks>
/// Implement it as a struct, so that the walk is compiled for it and allocates nothing.
/// <para><b>Linux:</b> the bodies of zap_pte_range and change_pte_range (v6.12).</para>
/// <para><b>Locking:</b> called with whatever the caller of the walk holds.</para>
/// </remarks>
internal interface IPteRule
{
    /// <summary>What an entry becomes. Pure: asked again when another thread changed the entry meanwhile.</summary>
    /// <param name="at">The entry's address.</param>
    /// <param name="entry">The entry; never none. Large when the range covers all of a leaf of 2 MiB.</param>
    /// <returns>The entry after; as large as <paramref name="entry"/>, or none.</returns>
    Pte Next(VirtAddr at, Pte entry);

    /// <summary>Tells of an entry that has changed.</summary>
    /// <param name="at">The entry's address.</param>
    /// <param name="before">What stood there.</param>
    /// <param name="after">What stands there.</param>
    void Changed(VirtAddr at, Pte before, Pte after);
}
