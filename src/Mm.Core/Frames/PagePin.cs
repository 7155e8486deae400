namespace Mm.Core.Frames;

/// <summary>A pin of a page: while it lasts the page is neither freed nor moved nor copied away from its owner.</summary>
/// <remarks>
/// Owns one pin: 1024 references of a page of order 0, or one pin and one reference of a folio. Not responsible for
/// whether the page may be pinned for long (<see cref="FrameTable.IsLongTermPinnable"/>).
/// <para><b>Linux:</b> pin_user_pages and unpin_user_page (mm/gup.c, v6.12), as a lease.</para>
/// <para><b>Locking:</b> safe from any thread; one lease is one thread's at a time.</para>
/// <para><c>default</c> pins nothing, and disposing it does nothing.</para>
/// </remarks>
public readonly struct PagePin : IDisposable, IEquatable<PagePin>
{
    private readonly FrameTable? table;
    private readonly PageToken token;

    internal PagePin(FrameTable table, PageToken token)
    {
        this.table = table;
        this.token = token;
    }

    private PagePin(PageToken token) => this.token = token;

    /// <summary>The page.</summary>
    public Pfn Page => new(token.Frame);

    /// <summary>Whether this pins nothing.</summary>
    public bool IsEmpty => table is null;

    /// <summary>Drops the pin; if no reference is left the page is freed.</summary>
    /// <exception cref="ObjectDisposedException">It was dropped before.</exception>
    public void Dispose() => table?.Unpin(token);

    /// <inheritdoc/>
    public bool Equals(PagePin other) => ReferenceEquals(table, other.table) && token == other.token;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PagePin other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => token.GetHashCode();

    /// <summary>Whether two pins are of the same page in the same life.</summary>
    public static bool operator ==(PagePin left, PagePin right) => left.Equals(right);

    /// <summary>Whether two pins are of different pages, or of different lives of one.</summary>
    public static bool operator !=(PagePin left, PagePin right) => !left.Equals(right);

    /// <summary>As <c>pin of pfn 0x10</c>, or <c>no page</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => IsEmpty ? "no page" : $"pin of {Page}";

    /// <summary>What stands for a pin of the page of zeros, which is neither pinned nor unpinned: empty, but it knows its page.</summary>
    /// <param name="zero">The page of zeros.</param>
    /// <returns>The pin.</returns>
    internal static PagePin OfZeroPage(Pfn zero) => new(new PageToken(zero.Value, generation: 0));
}
