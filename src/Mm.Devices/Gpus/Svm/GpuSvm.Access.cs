using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Devices.Gpus.Svm;

/// <content>The GPU's programs touch memory, and fault.</content>
public sealed partial class GpuSvm
{
    private const int MigrateTries = 2; // of one fault: then the GPU takes the memory where it is
    private const int FaultTries = 8;

    /// <summary>Serves a fault of the GPU: brings the memory if that is wanted, finds its pages, and puts them into the GPU's page table.</summary>
    /// <param name="at">The address.</param>
    /// <param name="request">What the GPU wants.</param>
    /// <returns>Ok: an access that is tried now finds an entry, unless it was taken away again; and as
    /// <see cref="TryFindOrInsert"/>, <see cref="TryGetPages"/> and, where memory is required on the GPU,
    /// <see cref="TryMigrateToDevice(SvmRange, SvmRequest)"/>.</returns>
    /// <remarks><b>Linux:</b> xe_svm_handle_pagefault.</remarks>
    public Errno TryFault(VirtAddr at, SvmRequest request)
    {
        lock (faulting)
        {
            Errno errno = Errno.EBUSY;
            for (int attempt = 0; attempt < FaultTries; attempt++)
            {
                CollectGarbage();
                errno = TryFindOrInsert(at, request, out SvmRange? range);
                if (!errno.IsOk)
                {
                    return errno;
                }

                errno = TryServe(range!, request, mayMigrate: attempt < MigrateTries);
                bool isFinal = errno.IsOk || !(errno == Errno.EOPNOTSUPP || errno == Errno.EBUSY || range!.IsUnmapped);
                if (isFinal || (request.RequiresDevice && attempt + 1 >= MigrateTries))
                {
                    return errno;
                }

                if (errno == Errno.EOPNOTSUPP)
                {
                    _ = TryEvict(range!); // what stays makes the next attempt fail
                }
            }

            return errno;
        }
    }

    /// <summary>The GPU reads, faulting as it must by <see cref="Policy"/>.</summary>
    /// <param name="at">Where.</param>
    /// <param name="into">Where to; what lies before a refusal has been read.</param>
    /// <returns>Ok; EFAULT: the memory was there and is not; and as <see cref="TryFault"/>.</returns>
    public Errno TryRead(VirtAddr at, Span<byte> into)
    {
        for (int done = 0; done < into.Length;)
        {
            VirtAddr next = at.AddChecked(new ByteCount((ulong)done));
            int length = Math.Min(into.Length - done, BytesLeftInPage(next));
            Errno errno = TryReadMapped(next, into.Slice(done, length), out bool isMapped);
            errno = isMapped ? errno : TryFault(next, Policy with { IsReadOnly = true });
            if (!errno.IsOk)
            {
                return errno;
            }

            done += isMapped ? length : 0;
        }

        return Errno.Ok;
    }

    /// <summary>The GPU writes, faulting as it must by <see cref="Policy"/>.</summary>
    /// <param name="at">Where.</param>
    /// <param name="from">What; what lies before a refusal has been written.</param>
    /// <returns>As <see cref="TryRead"/>; EPERM: the area forbids it.</returns>
    public Errno TryWrite(VirtAddr at, ReadOnlySpan<byte> from)
    {
        for (int done = 0; done < from.Length;)
        {
            VirtAddr next = at.AddChecked(new ByteCount((ulong)done));
            int length = Math.Min(from.Length - done, BytesLeftInPage(next));
            Errno errno = TryWriteMapped(next, from.Slice(done, length), out bool isMapped);
            errno = isMapped ? errno : TryFault(next, Policy with { IsReadOnly = false });
            if (!errno.IsOk)
            {
                return errno;
            }

            done += isMapped ? length : 0;
        }

        return Errno.Ok;
    }

    private static int BytesLeftInPage(VirtAddr at) => (int)(PageSize.Small.Bytes.Value - at.OffsetIn(PageSize.Small).Value);

    private Errno TryServe(SvmRange range, SvmRequest request, bool mayMigrate)
    {
        bool isThere = range.Memory is { LivePages: > 0 };
        bool wantsDevice = (request.WantsDevice || request.RequiresDevice) && mayMigrate && !isThere && !AreValid(range, request);
        Errno errno = wantsDevice ? TryMigrateToDevice(range, request) : Errno.Ok;
        if (!errno.IsOk && request.RequiresDevice)
        {
            return errno;
        }

        errno = TryGetPages(range, request);
        if (!errno.IsOk)
        {
            return errno;
        }

        parts.Points?.Reach("svm-bind");
        using RankedLock.Guard held = gate.Enter();
        if (!IsKnown(range, request))
        {
            return Errno.EBUSY; // taken away again: look anew
        }

        table.Map(range.Range.Start, range.Entries);
        if (range.Memory is { } memory)
        {
            parts.Pool.Touch(memory);
        }

        return Errno.Ok;
    }

    // While the gate is held, no page that is mapped can go.
    private Errno TryReadMapped(VirtAddr at, Span<byte> into, out bool isMapped)
    {
        using RankedLock.Guard held = gate.Enter();
        isMapped = table.TryFind(at, out SvmEntry entry);
        int inPage = (int)at.OffsetIn(PageSize.Small).Value;
        if (!isMapped)
        {
            return Errno.Ok;
        }

        if (!entry.IsOnDevice)
        {
            return dma.Port.TryRead(new DmaAddr(entry.Address.Value + (ulong)inPage), into, out _);
        }

        Errno errno = parts.Bytes.TryLease(entry.Frame, PageSize.Small, out SpanLease lease);
        using (lease)
        {
            if (errno.IsOk)
            {
                lease.Bytes.Slice(inPage, into.Length).CopyTo(into);
            }
        }

        return errno.IsOk ? Errno.Ok : Errno.EFAULT;
    }

    private Errno TryWriteMapped(VirtAddr at, ReadOnlySpan<byte> from, out bool isMapped)
    {
        using RankedLock.Guard held = gate.Enter();
        isMapped = table.TryFind(at, out SvmEntry entry) && entry.IsWritable;
        int inPage = (int)at.OffsetIn(PageSize.Small).Value;
        if (!isMapped)
        {
            return Errno.Ok;
        }

        if (!entry.IsOnDevice)
        {
            return dma.Port.TryWrite(new DmaAddr(entry.Address.Value + (ulong)inPage), from, out _);
        }

        Errno errno = parts.Bytes.TryLease(entry.Frame, PageSize.Small, out SpanLease lease);
        using (lease)
        {
            if (errno.IsOk)
            {
                from.CopyTo(lease.Bytes[inPage..]);
            }
        }

        return errno.IsOk ? Errno.Ok : Errno.EFAULT;
    }
}
