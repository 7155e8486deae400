namespace Mm.Core.Frames;

/// <summary>Contiguous pages handed out together without being a folio: one reference, on the first page.</summary>
/// <remarks>
/// Owns the block until it is put or split. Whoever takes a reference to its first page meanwhile keeps that page alone:
/// when the block is put, its other pages are free at once.
/// <para><b>Linux:</b> alloc_pages without __GFP_COMP, __free_pages, split_page (mm/page_alloc.c, v6.12).</para>
/// <para><b>Locking:</b> safe from any thread; one lease is one thread's at a time.</para>
/// <para><c>default</c> is no block, and disposing it does nothing.</para>
/// </remarks>
public readonly struct PageBlock : IDisposable, IEquatable<PageBlock>
{
    private readonly PageAllocator? allocator;
    private readonly PageToken token;

    internal PageBlock(PageAllocator allocator, PageToken token)
    {
        this.allocator = allocator;
        this.token = token;
    }

    /// <summary>Whether this is no block.</summary>
    public bool IsEmpty => allocator is null;

    /// <summary>The frames.</summary>
    public PfnRange Frames =>
        IsEmpty ? default : new PfnRange(new Pfn(token.Frame), PageCount.OfOrder(token.Order));

    /// <summary>Turns the block into single pages, each with a reference of its own. The block is over with this.</summary>
    /// <param name="pages">Receives the references, in order; exactly as long as the block.</param>
    /// <exception cref="ArgumentException"><paramref name="pages"/> has another length.</exception>
    /// <exception cref="ObjectDisposedException">The block was put or split before, or is none.</exception>
    public void Split(Span<PageRef> pages)
    {
        ObjectDisposedException.ThrowIf(allocator is null, typeof(PageBlock));
        allocator.SplitBlock(token, pages);
    }

    /// <summary>Gives the block back. If others hold its first page, that page stays theirs; the others are free at once.</summary>
    /// <exception cref="ObjectDisposedException">The block was put or split before.</exception>
    public void Dispose() => allocator?.PutBlock(token);

    /// <inheritdoc/>
    public bool Equals(PageBlock other) => ReferenceEquals(allocator, other.allocator) && token == other.token;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PageBlock other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => token.GetHashCode();

    /// <summary>Whether two leases are of the same block in the same life.</summary>
    public static bool operator ==(PageBlock left, PageBlock right) => left.Equals(right);

    /// <summary>Whether two leases are of different blocks, or of different lives of one.</summary>
    public static bool operator !=(PageBlock left, PageBlock right) => !left.Equals(right);

    /// <summary>As <c>block pfn [0x10, 0x20)</c>, or <c>no block</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => IsEmpty ? "no block" : $"block {Frames}";
}
