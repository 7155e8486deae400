using Mm.Core.Frames;

namespace Mm.Core.Pagemaps;

/// <summary>The lock of a page that was just handed out; disposing it unlocks the page.</summary>
/// <remarks>
/// A page is handed out locked so that nobody looks at it before its new owner has set it up. Unlock it before dropping
/// the last reference.
/// <para><b>Linux:</b> PG_locked as zone_device_page_init leaves it, and unlock_page (v6.12).</para>
/// <para><c>default</c> locks nothing, and disposing it does nothing.</para>
/// <para><b>Locking:</b> one lease is one thread's at a time.</para>
/// </remarks>
public readonly record struct PageLock : IDisposable
{
    private readonly FrameTable? frames;

    internal PageLock(FrameTable frames, Pfn page)
    {
        this.frames = frames;
        Page = page;
    }

    /// <summary>The page.</summary>
    public Pfn Page { get; }

    /// <summary>Whether this locks a page.</summary>
    public bool IsHeld => frames is not null;

    /// <summary>Unlocks the page.</summary>
    /// <exception cref="ObjectDisposedException">It was unlocked before.</exception>
    public void Dispose()
    {
        if (frames is not null)
        {
            PageFlags before = frames.ClearFlags(Page, PageFlags.Locked);
            ObjectDisposedException.ThrowIf(!before.HasFlag(PageFlags.Locked), typeof(PageLock));
        }
    }
}
