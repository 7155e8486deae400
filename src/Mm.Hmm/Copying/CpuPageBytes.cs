using Mm.Core;
using Mm.Core.Native;

namespace Mm.Hmm.Copying;

/// <summary>The bytes of pages as a CPU sees them: RAM and windows, coherent device memory among them.</summary>
/// <remarks>
/// Owns nothing. Refuses device-private memory, which has no CPU address.
/// <para><b>Linux:</b> kmap_local_page (v6.12).</para>
/// <para>Immutable; lives as long as its machine.</para>
/// </remarks>
/// <param name="machine">The machine.</param>
public sealed class CpuPageBytes(Machine machine) : IPageBytes
{
    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public Errno TryLease(Pfn page, PageSize size, out SpanLease lease) =>
        machine.TryLease(new PhysRange(page.Address, size.Bytes), out lease);

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public Errno TryLeaseAround(Pfn page, PageSize size, out SpanLease lease, out PfnRange pages)
    {
        Errno errno = machine.TryLeaseAround(new PhysRange(page.Address, size.Bytes), out lease, out PhysRange around);
        pages = default;
        if (errno.IsOk && !around.TryGetFrames(out pages))
        {
            lease.Dispose(); // a region that does not begin with a page
            lease = default;
            errno = TryLease(page, size, out lease);
            pages = errno.IsOk ? new PfnRange(page, size.Pages) : default;
        }

        return errno;
    }
}
