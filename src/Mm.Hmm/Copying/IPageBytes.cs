using Mm.Core;
using Mm.Core.Native;

namespace Mm.Hmm.Copying;

/// <summary>The bytes of pages as somebody sees them: a CPU, or a device that sees its own memory too.</summary>
/// <remarks>
/// An engine gets at bytes through this alone, so that what has no CPU address cannot be reached by a CPU's engine: its
/// view does not have it.
/// <para><b>Linux:</b> kmap_local_page for a CPU, the addresses that a driver maps for its engine otherwise (v6.12).</para>
/// <para><b>Locking:</b> called from any thread, several at once, with no lock held; must not wait.</para>
/// </remarks>
public interface IPageBytes
{
    /// <summary>Borrows the bytes of a page.</summary>
    /// <param name="page">The page, aligned to its size.</param>
    /// <param name="size">How large it is: 4 KiB or 2 MiB.</param>
    /// <param name="lease">Exactly that many bytes, or none when refused; the caller disposes it.</param>
    /// <returns><see cref="Errno.ENXIO"/>: no such bytes can be reached from here, or not any more.</returns>
    Errno TryLease(Pfn page, PageSize size, out SpanLease lease);

    /// <summary>Borrows the bytes of a page, and as many around it as one lease may well hold.</summary>
    /// <param name="page">The page, aligned to its size.</param>
    /// <param name="size">How large it is.</param>
    /// <param name="lease">The bytes, or none when refused; the caller disposes it.</param>
    /// <param name="pages">The pages whose bytes they are, in order; empty when refused.</param>
    /// <returns>As <see cref="TryLease"/>, which is what it does unless a view knows better.</returns>
    Errno TryLeaseAround(Pfn page, PageSize size, out SpanLease lease, out PfnRange pages)
    {
        Errno errno = TryLease(page, size, out lease);
        pages = errno.IsOk ? new PfnRange(page, size.Pages) : default;
        return errno;
    }
}
