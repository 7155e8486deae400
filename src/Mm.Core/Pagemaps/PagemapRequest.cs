namespace Mm.Core.Pagemaps;

/// <summary>What a driver asks for when it gives its memory page descriptors.</summary>
/// <remarks>
/// <b>Linux:</b> the fields of struct dev_pagemap that its caller fills in (include/linux/memremap.h, v6.12). An altmap
/// and compound descriptors (vmemmap_shift) are out of scope.
/// <para>Immutable.</para>
/// </remarks>
public sealed record PagemapRequest
{
    /// <summary>The kind of memory.</summary>
    public required PagemapKind Kind { get; init; }

    /// <summary>The addresses, each a multiple of 2 MiB long and aligned; at least one.</summary>
    public required IReadOnlyList<PhysRange> Ranges { get; init; }

    /// <summary>Who the memory belongs to: the token by which helpers tell it from foreign memory; compared by reference.</summary>
    public object? Owner { get; init; }

    /// <summary>What the driver does when a page comes back; an <see cref="IPrivatePagemapOps"/> for private memory.</summary>
    public IPagemapOps? Ops { get; init; }

    /// <summary>The node that the memory is near to; unknown stands for node 0.</summary>
    public NodeId Node { get; init; } = NodeId.None;
}
