using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <content>Pages for who does I/O on them.</content>
public sealed partial class AddressSpace
{
    /// <summary>Pins the pages of neighbouring addresses, faulting as needed.</summary>
    /// <param name="start">An address in the first page.</param>
    /// <param name="flags">What for.</param>
    /// <param name="pins">One a page; the first <paramref name="count"/> are the caller's to dispose. The page of zeros comes
    /// as an empty pin that knows its page.</param>
    /// <param name="count">How many were pinned; fewer than asked when a later page is refused.</param>
    /// <returns>Ok if at least one was pinned, or none asked for; EINVAL: long-term and peer memory together; EFAULT: no area,
    /// one of frames without struct page, one that forbids the access, or a fault that fails; EOVERFLOW: the range wraps;
    /// EEXIST: a frame of a mixed area that nobody counts; EREMOTEIO: peer memory, and it is not welcome; EBUSY: coherent device memory that cannot be moved for a long-term pin;
    /// ENOMEM: no memory, or another page that cannot be moved; EHWPOISON: broken memory.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> pin_user_pages, pin_user_pages_fast.</remarks>
    public Errno TryPin(VirtAddr start, PinFlags flags, Span<PagePin> pins, out int count)
    {
        ThrowIfEnded();
        return userPages.TryPin(start, flags, pins, out count);
    }

    /// <summary>Takes references of pages, for who holds the lock. <b>Linux:</b> get_user_pages_remote.</summary>
    /// <param name="start">The first page's address.</param>
    /// <param name="flags">What for.</param>
    /// <param name="pages">One a page, empty for the page of zeros; the first <paramref name="count"/> are the caller's.</param>
    /// <param name="count">How many were taken.</param>
    /// <returns>As <see cref="TryPin"/>.</returns>
    internal Errno TryGetPages(VirtAddr start, PinFlags flags, Span<PageRef> pages, out int count) =>
        userPages.TryGet(start, flags, pages, out count);
}
