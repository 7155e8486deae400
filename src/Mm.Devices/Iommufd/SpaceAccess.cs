using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Locking;

namespace Mm.Devices.Iommufd;

/// <summary>Software that works through a space's I/O addresses, as an emulated device does: it pins pages, or reads and writes bytes.</summary>
/// <remarks>
/// Owns its place in the space, not its pins: who took a pin disposes it.
/// <para><b>Linux:</b> struct iommufd_access (drivers/iommu/iommufd/device.c, v6.12).</para>
/// <para><b>States:</b> in a space, and after <see cref="TryMoveTo"/> in another; then closed.</para>
/// <para><b>Locking:</b> safe from any thread: rank IoSpaceAccess, before the space's.</para>
/// </remarks>
public sealed class SpaceAccess : IDisposable
{
    private readonly RankedLock gate = new(LockRank.IoSpaceAccess);
    private readonly ISpaceAccessOwner? owner;
    private IoAddressSpace? space; // protected by gate; null while it moves and when closed
    private bool isMoving; // protected by gate
    private int pins; // atomic

    internal SpaceAccess(IoAddressSpace space, ISpaceAccessOwner? owner)
    {
        this.space = space;
        this.owner = owner;
    }

    /// <summary>How many pins are out.</summary>
    public int PinCount => Volatile.Read(ref pins);

    /// <summary>What it wants of mappings: whole pages if it may pin.</summary>
    internal ulong Alignment => owner is null ? 1 : PageSize.Small.Bytes.Value;

    /// <summary>Pins the pages under a range, for longer.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="isWrite">Whether they will be written.</param>
    /// <param name="pin">The pin, which the caller disposes, at the latest when the owner is told; null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no length, or a mapping is not on whole pages there, or is about to go.
    /// <see cref="Errno.EOVERFLOW"/>: the range passes the top.
    /// <see cref="Errno.ENOENT"/>: something there is not mapped, or the access is closed.
    /// <see cref="Errno.EPERM"/>: a mapping there does not allow it.
    /// <see cref="Errno.EFAULT"/>: a page cannot be pinned.
    /// <see cref="Errno.ENOMEM"/>: over the account's limit, or no memory.
    /// </returns>
    /// <exception cref="InvalidOperationException">The access was opened without an owner.</exception>
    /// <remarks><b>Linux:</b> iommufd_access_pin_pages (v6.12).</remarks>
    public Errno TryPin(DmaAddr address, ByteCount length, bool isWrite, out AccessPin? pin)
    {
        pin = null;
        if (owner is null)
        {
            throw new InvalidOperationException("an access without an owner cannot pin: nobody would be told to unpin");
        }

        Errno errno = IoRange.TryCreate(address, length, out IoRange range);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (gate.Enter())
        {
            if (space is not { } here)
            {
                return Errno.ENOENT;
            }

            ulong bytes = length.Value + address.OffsetIn(PageSize.Small).Value;
            var frames = new Pfn[new ByteCount(bytes).ToPagesRoundUp().Value];
            errno = here.TryPin(range, isWrite, frames);
            if (errno.IsOk)
            {
                _ = Interlocked.Increment(ref pins);
                pin = new AccessPin(this, here, range, frames);
            }

            return errno;
        }
    }

    /// <summary>Reads bytes. What lies before a refusal is read.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="bytes">Where to put them.</param>
    /// <param name="path">By which way.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no bytes, or a mapping there is about to go, or a planned failure.
    /// <see cref="Errno.EOVERFLOW"/>: the range passes the top.
    /// <see cref="Errno.ENOENT"/>: something there is not mapped, or the access is closed.
    /// <see cref="Errno.EPERM"/>: a mapping there may not be read.
    /// <see cref="Errno.EFAULT"/>, <see cref="Errno.ENOMEM"/>: the user's memory says so.
    /// </returns>
    /// <remarks><b>Linux:</b> iommufd_access_rw (v6.12).</remarks>
    public Errno TryRead(DmaAddr address, Span<byte> bytes, AccessPath path = AccessPath.OfUser)
    {
        Errno errno = IoRange.TryCreate(address, new ByteCount((ulong)bytes.Length), out IoRange range);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (gate.Enter())
        {
            return space?.TryRead(range, bytes, path) ?? Errno.ENOENT;
        }
    }

    /// <summary>Writes bytes. What lies before a refusal is written.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="path">By which way.</param>
    /// <returns>
    /// <see cref="Errno.EPERM"/>: a mapping there may not be written. The others as of <see cref="TryRead"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> iommufd_access_rw with IOMMUFD_ACCESS_RW_WRITE (v6.12).</remarks>
    public Errno TryWrite(DmaAddr address, ReadOnlySpan<byte> bytes, AccessPath path = AccessPath.OfUser)
    {
        Errno errno = IoRange.TryCreate(address, new ByteCount((ulong)bytes.Length), out IoRange range);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (gate.Enter())
        {
            return space?.TryWrite(range, bytes, path) ?? Errno.ENOENT;
        }
    }

    /// <summary>Moves to another space. The owner is told to let all pins go.</summary>
    /// <param name="other">The other space.</param>
    /// <returns>
    /// <see cref="Errno.ENOENT"/>: the access is closed, or the other space destroyed.
    /// <see cref="Errno.EBUSY"/>: it is being moved or closed.
    /// <see cref="Errno.EADDRINUSE"/>, <see cref="Errno.ENOMEM"/>: as of <see cref="IoAddressSpace.TryOpenAccess"/>; it stays
    /// where it is.
    /// </returns>
    /// <exception cref="InvalidOperationException">The owner keeps a pin.</exception>
    /// <remarks><b>Linux:</b> iommufd_access_replace (v6.12).</remarks>
    public Errno TryMoveTo(IoAddressSpace other)
    {
        ArgumentNullException.ThrowIfNull(other);
        IoAddressSpace before;
        using (gate.Enter())
        {
            if (space is null)
            {
                return isMoving ? Errno.EBUSY : Errno.ENOENT;
            }

            if (space == other)
            {
                return Errno.Ok;
            }

            Errno errno = other.TryEnter(this);
            if (!errno.IsOk)
            {
                return errno;
            }

            (before, space, isMoving) = (space, null, true);
        }

        bool hasLeft = TryLeave(before);
        using (gate.Enter())
        {
            (space, isMoving) = (hasLeft ? other : before, false);
        }

        if (!hasLeft)
        {
            other.Leave(this);
            ThrowPinsKept();
        }

        return Errno.Ok;
    }

    /// <summary>Closes it. The owner is told to let all pins go. Twice does nothing.</summary>
    /// <exception cref="InvalidOperationException">The owner keeps a pin.</exception>
    public void Dispose()
    {
        IoAddressSpace? before;
        using (gate.Enter())
        {
            (before, space) = (space, null);
        }

        if (before is not null && !TryLeave(before))
        {
            using (gate.Enter())
            {
                space = before;
            }

            ThrowPinsKept();
        }
    }

    internal void Tell(IoRange range) => owner?.OnUnmap(range);

    internal void Unpin(IoAddressSpace from, IoRange range)
    {
        from.Unpin(range);
        _ = Interlocked.Decrement(ref pins);
    }

    private bool TryLeave(IoAddressSpace before)
    {
        Tell(IoRange.All);
        if (PinCount > 0)
        {
            return false;
        }

        before.Leave(this);
        return true;
    }

    [DoesNotReturn]
    private void ThrowPinsKept() => throw new InvalidOperationException(
        $"the owner of an access keeps {PinCount} pins, and was told to dispose all; the access stays where it is");
}
