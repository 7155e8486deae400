using Mm.Core;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>A view of pages that keeps an engine waiting at its first page until it is let go.</summary>
internal sealed class HeldBytes(IPageBytes inner) : IPageBytes, IDisposable
{
    private readonly ManualResetEventSlim touched = new();
    private readonly ManualResetEventSlim released = new();

    public void WaitUntilTouched() => touched.Wait();

    public void Release() => released.Set();

    public Errno TryLease(Pfn page, PageSize size, out SpanLease lease)
    {
        touched.Set();
        released.Wait();
        return inner.TryLease(page, size, out lease);
    }

    public void Dispose()
    {
        touched.Dispose();
        released.Dispose();
    }
}
