using Mm.Core;
using Mm.Core.Native;

namespace Mm.Devices.Iommufd;

/// <content>Software's reads and writes of the pages.</content>
internal sealed partial class IoPages
{
    /// <summary>Reads bytes. Needs no lock.</summary>
    /// <returns>EFAULT, ENOMEM: as the user's pages say. EINVAL: a planned failure.</returns>
    public Errno TryRead(ByteCount from, Span<byte> bytes, AccessPath path)
    {
        if (path == AccessPath.OfUser)
        {
            return User.TryRead(AddressOf(from), bytes);
        }

        return IsInOnePage(from, bytes.Length)
            ? TryMoveInPage(from, bytes, default)
            : TryMoveHeld(from, bytes, default);
    }

    /// <summary>Writes bytes. Needs no lock.</summary>
    /// <returns>EPERM: the pages are not writable. EFAULT, ENOMEM: as the user's pages say. EINVAL: a planned failure.</returns>
    public Errno TryWrite(ByteCount to, ReadOnlySpan<byte> bytes, AccessPath path)
    {
        if (!IsWritable)
        {
            return Errno.EPERM;
        }

        if (path == AccessPath.OfUser)
        {
            return User.TryWrite(AddressOf(to), bytes);
        }

        return IsInOnePage(to, bytes.Length)
            ? TryMoveInPage(to, default, bytes)
            : TryMoveHeld(to, default, bytes);
    }

    private static bool IsInOnePage(ByteCount at, int length) =>
        at.Value / PageBytes == (at.Value + (ulong)length - 1) / PageBytes;

    private VirtAddr AddressOf(ByteCount at) => Start.AddWrapping(at);

    // One page is asked of the user again, as Linux does: it need not be the one that devices see.
    private Errno TryMoveInPage(ByteCount at, Span<byte> read, ReadOnlySpan<byte> written)
    {
        if (context.Faults.ShouldFail(IommufdContext.Fault))
        {
            return Errno.EINVAL;
        }

        Span<UserPin> pin = new UserPin[1];
        VirtAddr page = AddressOf(at).AlignDown(PageSize.Small);
        Errno errno = UserPagesContract.TryPin(User, page, !written.IsEmpty, pin, out _);
        if (errno.IsOk)
        {
            MoveInFrame(pin[0].Page, at.Value % PageBytes, read, written);
            pin[0].Dispose();
        }

        return errno;
    }

    // Several pages are taken as devices see them: those that are held already stay what they are.
    private Errno TryMoveHeld(ByteCount at, Span<byte> read, ReadOnlySpan<byte> written)
    {
        ulong length = (ulong)Math.Max(read.Length, written.Length);
        ulong first = at.Value / PageBytes;
        ulong last = (at.Value + length - 1) / PageBytes;
        using (Gate.Enter())
        {
            Errno errno = TryHold(first, last, isCharged: false);
            if (!errno.IsOk)
            {
                return errno;
            }

            ulong offset = at.Value % PageBytes;
            for (ulong index = first; index <= last; index++)
            {
                int part = (int)Math.Min(PageBytes - offset, length);
                MoveInFrame(FrameOf(index), offset, read.IsEmpty ? read : read[..part], written.IsEmpty ? written : written[..part]);
                read = read.IsEmpty ? read : read[part..];
                written = written.IsEmpty ? written : written[part..];
                length -= (ulong)part;
                offset = 0;
            }

            Unhold(first, last, isCharged: false);
        }

        return Errno.Ok;
    }

    private void MoveInFrame(Pfn frame, ulong offset, Span<byte> read, ReadOnlySpan<byte> written)
    {
        var length = new ByteCount((ulong)Math.Max(read.Length, written.Length));
        using SpanLease lease = context.Machine.Lease(new PhysRange(frame.Address.AddChecked(new ByteCount(offset)), length));
        if (written.IsEmpty)
        {
            lease.Bytes.CopyTo(read);
        }
        else
        {
            written.CopyTo(lease.Bytes);
        }
    }
}
