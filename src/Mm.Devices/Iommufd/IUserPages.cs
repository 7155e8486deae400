using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>A user's memory, as I/O address spaces take pages from it: by address, pinned for long.</summary>
/// <remarks>
/// What it is behind, a process or a plain buffer, is nobody's business here. <see cref="UserPagesContract"/> holds an
/// implementation to what is promised.
/// <para><b>Linux:</b> pin_user_pages_fast with FOLL_LONGTERM, copy_to_user and copy_from_user (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread; called with the locks of the I/O address space held, up to
/// <see cref="Mm.Core.Locking.LockRank.IoSpacePages"/>. It calls nobody back.</para>
/// </remarks>
public interface IUserPages
{
    /// <summary>Pins pages in a row, as many as it can: the first that cannot be pinned ends it.</summary>
    /// <param name="start">The address of the first page; on a page.</param>
    /// <param name="isWritable">Whether a device may write to them.</param>
    /// <param name="pins">Where to put the pins, which belong to the caller; one a page.</param>
    /// <param name="pinned">How many were pinned: at least one when not refused, none when refused.</param>
    /// <returns>
    /// <see cref="Errno.EFAULT"/>: nothing lies at the first page, or it may not be accessed so.
    /// <see cref="Errno.ENOMEM"/>: the page is not there yet, and there is no memory for it; or it may not stay where it is.
    /// And what else a process's memory refuses long pins with, see <see cref="Mm.Core.Spaces.AddressSpace.TryPin"/>.
    /// </returns>
    Errno TryPin(VirtAddr start, bool isWritable, Span<UserPin> pins, out int pinned);

    /// <summary>Reads as the user's own program does. What lies before a fault is read.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="bytes">Where to put the bytes.</param>
    /// <returns><see cref="Errno.EFAULT"/>: nothing lies at one of the addresses, or it may not be read.</returns>
    Errno TryRead(VirtAddr start, Span<byte> bytes);

    /// <summary>Writes as the user's own program does. What lies before a fault is written.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>
    /// <see cref="Errno.EFAULT"/>: nothing lies at one of the addresses, or it may not be written.
    /// <see cref="Errno.ENOMEM"/>: a page is not there yet, and there is no memory for it.
    /// </returns>
    Errno TryWrite(VirtAddr start, ReadOnlySpan<byte> bytes);
}
