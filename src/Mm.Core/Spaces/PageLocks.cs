using Mm.Core.Frames;
using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <summary>The lock bit of every page, and those who wait for one.</summary>
/// <remarks>
/// The bit is the folio's: a tail is locked by its head. Waiting is by one queue for all pages, woken only while somebody
/// waits; a waiter marks nothing on the page, since it may hold none.
/// <para><b>Linux:</b> folio_trylock, folio_lock, folio_unlock and the wait queues of mm/filemap.c (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread. A page lock is taken inside an address space's lock, and never waited for
/// under a ranked lock.</para>
/// </remarks>
internal sealed class PageLocks
{
    private readonly FrameTable frames;
    private readonly WaitQueue queue;

    /// <summary>The locks of a table of frames.</summary>
    /// <param name="frames">The table.</param>
    /// <param name="queue">Who waits.</param>
    internal PageLocks(FrameTable frames, WaitQueue queue)
    {
        this.frames = frames;
        this.queue = queue;
    }

    /// <summary>Takes the lock if nobody has it.</summary>
    /// <param name="page">The page, which the caller holds.</param>
    /// <returns>Whether it is the caller's now.</returns>
    internal bool TryLock(Pfn page) => !Has(frames.SetFlags(Head(page), PageFlags.Locked), PageFlags.Locked);

    /// <summary>Takes the lock, waiting for it.</summary>
    /// <param name="page">The page, which the caller holds.</param>
    internal void Lock(Pfn page)
    {
        while (!TryLock(page))
        {
            WaitUntilUnlocked(page);
        }
    }

    /// <summary>Waits until nobody has the lock, which somebody else may take again at once.</summary>
    /// <param name="page">The page, which the caller holds.</param>
    internal void WaitUntilUnlocked(Pfn page)
    {
        Pfn head = Head(page);
        WaitUntil(() => !IsLocked(head));
    }

    /// <summary>Waits until something holds that somebody brings about before giving a page's lock back.</summary>
    /// <param name="isReady">Whether it holds. Who holds no page asks for none here: its metadata may be gone.</param>
    internal void WaitUntil(Func<bool> isReady)
    {
        RankedLock.CheckNoneHeldFrom(LockRank.AddressSpace, "waiting for a page lock");
        queue.WaitUntil("page-lock", isReady);
    }

    /// <summary>Whether somebody has the lock.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it is locked.</returns>
    internal bool IsLocked(Pfn page) => frames.HasMetadata(page) && Has(frames.SetFlags(Head(page), PageFlags.None), PageFlags.Locked);

    /// <summary>Gives the lock back.</summary>
    /// <param name="page">The page, which the caller locked.</param>
    internal void Unlock(Pfn page)
    {
        PageFlags before = frames.ClearFlags(Head(page), PageFlags.Locked); // a full fence, before it is asked who waits
        if (!Has(before, PageFlags.Locked))
        {
            Checks.Check.That(false, $"{page} was not locked");
        }

        if (queue.HasWaiters)
        {
            queue.WakeAll();
        }
    }

    private static bool Has(PageFlags flags, PageFlags flag) => (flags & flag) != PageFlags.None;

    private Pfn Head(Pfn page) => frames.HeadOf(page, out _);
}
