namespace Mm.Core.Spaces;

/// <summary>Clears entries: every one lets go of what it held.</summary>
/// <remarks>
/// <b>Linux:</b> zap_pte_range and zap_huge_pmd (mm/memory.c, mm/huge_memory.c, v6.12).
/// <para><b>Locking:</b> the space's lock, for reading at least.</para>
/// </remarks>
internal ref struct ZapRule : IPteRule, IDisposable
{
    private readonly AddressSpace space;
    private readonly bool keepsCopies;
    private PageGather gather;

    /// <summary>The rule for one space.</summary>
    /// <param name="space">The space.</param>
    /// <param name="keepsCopies">Whether pages of the process's own stay. <b>Linux:</b> should_zap_folio.</param>
    internal ZapRule(AddressSpace space, bool keepsCopies = false)
    {
        this.space = space;
        this.keepsCopies = keepsCopies;
        gather = new PageGather(space);
    }

    /// <summary>Flushes, and lets go of what the entries held.</summary>
    public void Dispose() => gather.Dispose();

    /// <inheritdoc/>
    public readonly Pte Next(VirtAddr at, Pte entry) => keepsCopies && IsCopy(entry) ? entry : default;

    /// <inheritdoc/>
    public void Changed(VirtAddr at, Pte before, Pte after)
    {
        if (before == after || !before.HasFrame || before.IsZeroPage || before.IsSpecial || before.IsHwPoison)
        {
            return;
        }

        Pfn page = before.Frame;
        long pages = before.IsLarge ? (long)PageSize.Large.Pages.Value : 1;
        space.CountRss(space.Owner.KindOf(page), -pages);
        if (before.IsMigration)
        {
            return; // whoever moves the page has its reference
        }

        if (before.IsLarge)
        {
            space.Parts.Frames.RemoveEntireMapping(page);
        }
        else if (!before.IsDeviceExclusive)
        {
            space.Parts.Frames.RemoveMapping(page);
        }

        gather.Add(page);
    }

    private readonly bool IsCopy(Pte entry) =>
        entry.HasFrame && !entry.IsZeroPage && !entry.IsSpecial && !entry.IsHwPoison && space.Owner.IsAnonymous(entry.Frame);
}
