using System.Buffers;
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Devices.Iommufd;

/// <summary>A process's memory as I/O address spaces take pages from it: pinned for long, whatever the process does afterwards.</summary>
/// <remarks>
/// Owns nothing: the pins are whoever asked for them, and outlive the process.
/// <para><b>Linux:</b> the mm of struct iopt_pages, with pin_user_pages_fast and FOLL_LONGTERM (drivers/iommu/iommufd/pages.c,
/// v6.12): pages of a private mapping become the process's own, and leave movable, lent and coherent device memory.</para>
/// <para><b>Locking:</b> safe from any thread; takes the lock of the address space.</para>
/// </remarks>
/// <param name="space">The process's memory; its end makes every new pin and access EFAULT.</param>
public sealed class ProcessPages(AddressSpace space) : IUserPages
{
    private const int Batch = 64;

    /// <summary>The process's memory.</summary>
    public AddressSpace Space { get; } = space ?? throw new ArgumentNullException(nameof(space));

    /// <inheritdoc/>
    public Errno TryPin(VirtAddr start, bool isWritable, Span<UserPin> pins, out int pinned)
    {
        PinFlags flags = PinFlags.LongTerm | PinFlags.Fast | (isWritable ? PinFlags.Write : PinFlags.None);
        PagePin[] taken = ArrayPool<PagePin>.Shared.Rent(Batch);
        Errno errno = TryPinAll(start, flags, taken.AsSpan(0, Batch), pins, out pinned);
        ArrayPool<PagePin>.Shared.Return(taken, clearArray: true);
        return errno;
    }

    /// <inheritdoc/>
    public Errno TryRead(VirtAddr start, Span<byte> bytes)
    {
        try
        {
            return ErrnoOf(Space.Read(start, bytes));
        }
        catch (ObjectDisposedException) when (Space.IsEnded)
        {
            return Errno.EFAULT; // Linux: mmget_not_zero says no
        }
    }

    /// <inheritdoc/>
    public Errno TryWrite(VirtAddr start, ReadOnlySpan<byte> bytes)
    {
        try
        {
            return ErrnoOf(Space.Write(start, bytes));
        }
        catch (ObjectDisposedException) when (Space.IsEnded)
        {
            return Errno.EFAULT; // as above
        }
    }

    private static Errno ErrnoOf(FaultResult result) => result switch
    {
        FaultResult.Done => Errno.Ok,
        FaultResult.OutOfMemory => Errno.ENOMEM,
        _ => Errno.EFAULT,
    };

    private static Errno Refuse(out int count)
    {
        count = 0;
        return Errno.EFAULT;
    }

    private Errno TryPinAll(VirtAddr start, PinFlags flags, Span<PagePin> taken, Span<UserPin> pins, out int pinned)
    {
        pinned = 0;
        while (pinned < pins.Length)
        {
            Span<PagePin> batch = taken[..Math.Min(taken.Length, pins.Length - pinned)];
            bool isThere = start.TryAdd(new PageCount((ulong)pinned).ToBytes(), out VirtAddr at);
            Errno errno = isThere ? TryPin(at, flags, batch, out int count) : Refuse(out count);
            for (int index = 0; index < count; index++)
            {
                pins[pinned++] = batch[index].IsEmpty ? UserPin.OfZeroPage(batch[index].Page) : new UserPin(batch[index]);
            }

            if (!errno.IsOk || count < batch.Length)
            {
                return pinned > 0 ? Errno.Ok : errno;
            }
        }

        return Errno.Ok;
    }

    private Errno TryPin(VirtAddr at, PinFlags flags, Span<PagePin> pins, out int count)
    {
        try
        {
            return Space.TryPin(at, flags, pins, out count);
        }
        catch (ObjectDisposedException) when (Space.IsEnded)
        {
            return Refuse(out count); // as above
        }
    }
}
