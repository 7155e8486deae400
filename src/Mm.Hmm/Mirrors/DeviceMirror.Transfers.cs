using Mm.Core;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Hmm.Mirrors;

/// <content>The device reads and writes.</content>
public sealed partial class DeviceMirror
{
    /// <summary>The device reads pages, faulting where it has no mapping.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="into">Where to; as long as the range.</param>
    /// <param name="done">How far it came.</param>
    /// <returns>Ok; EFAULT: no area, one that cannot be read or mirrored, a fault that failed, or a process that has ended;
    /// ENOMEM: no memory for the device's table.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages, or the room is too small.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_read.</remarks>
    public Errno TryRead(VirtRange range, Span<byte> into, out MirrorTransfer done)
    {
        RequirePages(range);
        RequireLength(range, into.Length);
        ulong pages = 0;
        int faults = 0;
        while (true)
        {
            using (gate.Enter())
            {
                pages = ReadMapped(range, into, pages);
            }

            done = new MirrorTransfer(new PageCount(pages), faults);
            if (new PageCount(pages).ToBytes() == range.Length)
            {
                return Errno.Ok;
            }

            Errno errno = Fault(Rest(range, pages), isWrite: false);
            if (!errno.IsOk)
            {
                return errno;
            }

            faults++;
        }
    }

    /// <summary>The device writes pages, faulting where it has no writable mapping.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="from">What; as long as the range.</param>
    /// <param name="done">How far it came.</param>
    /// <returns>Ok; EPERM: an area forbids writing; EFAULT: no area, one that cannot be read or mirrored, a fault that failed,
    /// a page in the device's own memory that processes share, or a process that has ended; ENOMEM: no memory for the device's table.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages, or what is to be written is shorter.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_write.</remarks>
    public Errno TryWrite(VirtRange range, ReadOnlySpan<byte> from, out MirrorTransfer done)
    {
        RequirePages(range);
        RequireLength(range, from.Length);
        ulong pages = 0;
        int faults = 0;
        while (true)
        {
            using (gate.Enter())
            {
                pages = WriteMapped(range, from, pages);
            }

            done = new MirrorTransfer(new PageCount(pages), faults);
            if (new PageCount(pages).ToBytes() == range.Length)
            {
                return Errno.Ok;
            }

            Errno errno = Fault(Rest(range, pages), isWrite: true);
            if (!errno.IsOk)
            {
                return errno;
            }

            faults++;
        }
    }

    private static VirtRange Rest(VirtRange range, ulong pages)
    {
        ByteCount done = new PageCount(pages).ToBytes();
        return new VirtRange(range.Start.AddChecked(done), range.Length.SubtractChecked(done));
    }

    private static void RequireLength(VirtRange range, int length)
    {
        if ((ulong)length != range.Length.Value)
        {
            throw new ArgumentException($"the bytes must be as many as the range has, {range.Length}; they are {length}", nameof(length));
        }
    }

    // Goes on from a page to the first that is not mapped; under the lock, so no page goes meanwhile.
    private ulong ReadMapped(VirtRange range, Span<byte> into, ulong pages)
    {
        for (; new PageCount(pages).ToBytes() < range.Length; pages++)
        {
            Pte entry = table.Read(range.Start.AddChecked(new PageCount(pages).ToBytes()));
            if (entry.IsNone)
            {
                break;
            }

            using SpanLease lease = Lease(entry.Frame);
            lease.Bytes.CopyTo(into[(int)(pages << PageSize.Small.Shift)..]);
        }

        return pages;
    }

    private ulong WriteMapped(VirtRange range, ReadOnlySpan<byte> from, ulong pages)
    {
        for (; new PageCount(pages).ToBytes() < range.Length; pages++)
        {
            Pte entry = table.Read(range.Start.AddChecked(new PageCount(pages).ToBytes()));
            if (!entry.IsWritable)
            {
                break;
            }

            using SpanLease lease = Lease(entry.Frame);
            from.Slice((int)(pages << PageSize.Small.Shift), lease.Bytes.Length).CopyTo(lease.Bytes);
        }

        return pages;
    }

    private SpanLease Lease(Pfn page)
    {
        Core.Checks.Check.That(
            Device.Bytes.TryLease(page, PageSize.Small, out SpanLease lease).IsOk, "a page that the device maps has bytes");
        return lease;
    }
}
