using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Exclusive;

/// <summary>A page that a device has for itself: held and locked until it is let go.</summary>
/// <remarks>
/// While it is locked the CPU waits; afterwards its next touch takes the page back. <c>default</c> is no page.
/// <para><b>Linux:</b> an element of the pages that make_device_exclusive_range gives (v6.12), as a lease.</para>
/// <para><b>Locking:</b> dispose it once.</para>
/// </remarks>
public readonly struct ExclusivePage : IDisposable, IEquatable<ExclusivePage>
{
    private readonly AddressSpace? space;
    private readonly PageRef page;

    internal ExclusivePage(AddressSpace space, PageRef page)
    {
        this.space = space;
        this.page = page;
    }

    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => space is null;

    /// <summary>The page.</summary>
    /// <exception cref="ObjectDisposedException">There is none.</exception>
    public Pfn Page
    {
        get
        {
            ObjectDisposedException.ThrowIf(space is null, typeof(ExclusivePage));
            return page.Page;
        }
    }

    /// <summary>Unlocks the page and drops the reference.</summary>
    public void Dispose()
    {
        if (space is not null)
        {
            space.PageLocks.Unlock(page.Page);
            page.Dispose();
        }
    }

    /// <inheritdoc/>
    public bool Equals(ExclusivePage other) => space == other.space && page == other.page;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ExclusivePage other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(space, page);

    /// <summary>Compares.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they are the same lease.</returns>
    public static bool operator ==(ExclusivePage left, ExclusivePage right) => left.Equals(right);

    /// <summary>Compares.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they are different.</returns>
    public static bool operator !=(ExclusivePage left, ExclusivePage right) => !left.Equals(right);
}
