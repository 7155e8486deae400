using Mm.Core;
using Mm.Core.Native;

namespace Mm.Hmm.Copying;

/// <summary>What a copier has borrowed: pages that lie together are reached by one lease.</summary>
/// <remarks>
/// Owns a lease, of as many bytes around a page as its view gives, until a page outside is wanted or <see cref="Close"/>.
/// A lease of its own for each page would cost ten locked operations a page, and each waits for the stores before it.
/// <para><b>Linux:</b> none; a page's kernel mapping costs nothing there.</para>
/// <para><b>Locking:</b> belongs to one thread.</para>
/// </remarks>
/// <param name="bytes">How pages are seen.</param>
internal ref struct PageWindow(IPageBytes bytes)
{
    private readonly IPageBytes bytes = bytes;
    private SpanLease lease;
    private PfnRange pages;

    /// <summary>The bytes of a page.</summary>
    /// <param name="page">The page, aligned to its size.</param>
    /// <param name="size">How large it is.</param>
    /// <param name="found">Its bytes, good until the next call.</param>
    /// <returns><see cref="Errno.ENXIO"/>: they cannot be reached from here, or not any more.</returns>
    internal Errno TryReach(Pfn page, PageSize size, out Span<byte> found)
    {
        found = default;
        if (!pages.Contains(new PfnRange(page, size.Pages)))
        {
            Close();
            Errno errno = bytes.TryLeaseAround(page, size, out lease, out PfnRange around);
            if (!errno.IsOk)
            {
                return errno;
            }

            pages = around;
        }

        found = lease.Bytes.Slice((int)page.OffsetFrom(pages.Start).ToBytes().Value, (int)size.Bytes.Value);
        return Errno.Ok;
    }

    /// <summary>Gives the bytes back. Twice does nothing.</summary>
    internal void Close()
    {
        SpanLease given = lease;
        lease = default;
        pages = default;
        given.Dispose();
    }
}
