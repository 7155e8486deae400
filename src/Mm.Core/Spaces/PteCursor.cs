namespace Mm.Core.Spaces;

/// <summary>Goes over an address range by runs: one descent for each table of 512 entries, leaf or hole.</summary>
/// <remarks>
/// Allocates nothing. Splits nothing: a range that begins inside a large leaf begins with part of it.
/// <para><b>Linux:</b> walk_page_range (v6.12).</para>
/// <para><b>Locking:</b> the caller keeps tables from being collected meanwhile.</para>
/// </remarks>
internal ref struct PteCursor
{
    private readonly PageTables tables;
    private readonly ulong end;
    private ulong next;

    internal PteCursor(PageTables tables, ulong start, ulong end)
    {
        this.tables = tables;
        this.end = end;
        next = start;
    }

    /// <summary>The run that <see cref="MoveNext"/> found.</summary>
    public PteRun Current { get; private set; }

    /// <summary>Finds the next run.</summary>
    /// <returns>Whether there is one.</returns>
    public bool MoveNext()
    {
        if (next >= end)
        {
            return false;
        }

        Current = tables.RunAt(next, end);
        next += Current.Pages.Value << PageSize.Small.Shift;
        return true;
    }

    /// <summary>The cursor itself, for foreach.</summary>
    /// <returns>The cursor.</returns>
    public readonly PteCursor GetEnumerator() => this;
}
