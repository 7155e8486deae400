using Mm.Core.Spaces;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>One page of one process, as the reference knows it: what it is, what may be done to it, and where its words are.</summary>
/// <param name="Kind">What its area maps.</param>
/// <param name="Access">What its area allows.</param>
/// <param name="Cell">Its words; shared memory shares the cell.</param>
/// <param name="Fresh">What private memory reads as once it is dropped.</param>
internal sealed record ReferencePage(AreaKind Kind, AreaAccess Access, ReferenceCell Cell, ReferenceWords Fresh)
{
    internal bool IsPrivate => Kind is AreaKind.AnonymousPrivate or AreaKind.FilePrivate;

    internal bool IsReadable => (Access & AreaAccess.Read) != AreaAccess.None;

    internal bool IsWritable => (Access & AreaAccess.Write) != AreaAccess.None;
}
