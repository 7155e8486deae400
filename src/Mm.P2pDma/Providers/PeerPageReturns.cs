using Mm.Core;
using Mm.Core.Pagemaps;

namespace Mm.P2pDma.Providers;

/// <summary>Hears of pages of a page map that nobody holds any more, and tells whoever handed them out.</summary>
/// <remarks>
/// <b>Linux:</b> p2pdma_page_free (drivers/pci/p2pdma.c, v6.12).
/// <para><b>Locking:</b> none; set once, before a page is handed out.</para>
/// </remarks>
internal sealed class PeerPageReturns : IPagemapOps
{
    /// <summary>Takes a page back; null as long as nobody hands pages out.</summary>
    internal Action<Pfn>? Taker { get; set; }

    /// <inheritdoc/>
    public void OnPageFree(Pagemap map, Pfn page) => Taker?.Invoke(page);
}
