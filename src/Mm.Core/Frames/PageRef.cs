using Mm.Core.Checks;

namespace Mm.Core.Frames;

/// <summary>A counted reference to a page, or to a folio through one of its pages: while it lasts the page is not freed.</summary>
/// <remarks>
/// Owns one reference; <see cref="Dispose"/> drops it, and the last one frees the page. Says nothing about the page's
/// content staying where it is: migration expects references and waits, DMA wants a <see cref="PagePin"/>.
/// <para><b>Linux:</b> folio_try_get and folio_put, get_page and put_page (v6.12), as a lease.</para>
/// <para><b>Invariants:</b> (1) disposed once: a second time is found out when the page was freed in between, or has too
/// few references left, but not while others hold it.</para>
/// <para><b>Locking:</b> safe from any thread; one lease is one thread's at a time.</para>
/// <para><c>default</c> refers to nothing, and disposing it does nothing.</para>
/// </remarks>
public readonly struct PageRef : IDisposable, IEquatable<PageRef>
{
    private readonly FrameTable? table;
    private readonly PageToken token;

    internal PageRef(FrameTable table, PageToken token)
    {
        this.table = table;
        this.token = token;
    }

    /// <summary>The page.</summary>
    public Pfn Page => new(token.Frame);

    /// <summary>Whether this refers to nothing.</summary>
    public bool IsEmpty => table is null;

    /// <summary>The frames of the page's folio, the page alone if its order is 0.</summary>
    /// <exception cref="ObjectDisposedException">The lease refers to nothing, or the page was freed.</exception>
    public PfnRange Frames => Table.FolioOf(token);

    /// <summary>What is known of the page now.</summary>
    /// <exception cref="ObjectDisposedException">The lease refers to nothing.</exception>
    public PageInfo Info => Table.Describe(Page);

    /// <summary>Whether nobody else has a reference to the page or to its folio.</summary>
    /// <exception cref="ObjectDisposedException">There is no page.</exception>
    /// <remarks><b>Linux:</b> page_ref_count(page) == 1 (v6.12).</remarks>
    public bool IsOnlyReference => Table.ReferencesOf(Page) == 1;

    internal FrameTable Table
    {
        get
        {
            ObjectDisposedException.ThrowIf(table is null, typeof(PageRef));
            return table;
        }
    }

    internal PageToken Token => token;

    /// <summary>Takes another reference.</summary>
    /// <param name="reference">The reference, or an empty one when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: the count would pass its bound of 2^31-1.</returns>
    /// <exception cref="ObjectDisposedException">The lease refers to nothing, or the page was freed.</exception>
    public Errno TryAddReference(out PageRef reference)
    {
        Errno errno = Table.TryTakeAgain(token, isPin: false);
        reference = errno.IsOk ? this : default;
        return errno;
    }

    /// <summary>Pins the page for DMA.</summary>
    /// <param name="pin">The pin, or an empty one when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: the references would pass 2^31-1, or the folio's pins 2^23-1.</returns>
    /// <exception cref="ObjectDisposedException">The lease refers to nothing, or the page was freed.</exception>
    public Errno TryPin(out PagePin pin)
    {
        Errno errno = Table.TryTakeAgain(token, isPin: true);
        pin = errno.IsOk ? new PagePin(Table, token) : default;
        return errno;
    }

    /// <summary>Drops the reference; the last one frees the page.</summary>
    /// <exception cref="ObjectDisposedException">It was dropped before, and the page freed.</exception>
    /// <exception cref="MmBugException">The page is freed in a state in which no page may be freed: still mapped, locked
    /// or on a list.</exception>
    public void Dispose() => table?.Put(token);

    /// <inheritdoc/>
    public bool Equals(PageRef other) => ReferenceEquals(table, other.table) && token == other.token;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PageRef other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => token.GetHashCode();

    /// <summary>Whether two leases refer to the same page in the same life.</summary>
    public static bool operator ==(PageRef left, PageRef right) => left.Equals(right);

    /// <summary>Whether two leases refer to different pages, or to different lives of one.</summary>
    public static bool operator !=(PageRef left, PageRef right) => !left.Equals(right);

    /// <summary>As <c>reference to pfn 0x10</c>, or <c>no page</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => IsEmpty ? "no page" : $"reference to {Page}";
}
