namespace Mm.Devices.Nics.PagePools;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class PagePool
{
    /// <summary>
    /// Whether destroying leaves the pages that users have mapped, as Linux did before "page_pool: Track DMA-mapped pages and
    /// unmap them when destroying the pool" (2025, ee62ce7a1d90).
    /// </summary>
    internal bool KeepsMappings { get; set; }

    /// <summary>
    /// Whether a destroyed pool still recycles into its cache in the NAPI context, as in Linux before "page_pool: unlink from
    /// napi during destroy" (2023, dd64b232deb8).
    /// </summary>
    internal bool KeepsNapi { get; set; }

    /// <summary>Begins to count as if so many pages had come and gone.</summary>
    internal void StartCountingAt(uint count) => held = released = count;

    private void UnmapAll(PoolPage[] pages)
    {
        foreach (PoolPage page in KeepsMappings ? [] : pages)
        {
            page.Unmap();
        }
    }

    private void UnlinkNapi()
    {
        if (!KeepsNapi)
        {
            Volatile.Write(ref napi, null);
        }
    }
}
