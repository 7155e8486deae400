using Mm.Core;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>A view of pages whose author made a mistake: one page throws.</summary>
internal sealed class ThrowingBytes(IPageBytes inner, Pfn trap) : IPageBytes
{
    public Errno TryLease(Pfn page, PageSize size, out SpanLease lease) =>
        page == trap ? throw new Thrown() : inner.TryLease(page, size, out lease);

    internal sealed class Thrown : Exception
    {
        public Thrown()
            : base("the trap was touched")
        {
        }
    }
}
