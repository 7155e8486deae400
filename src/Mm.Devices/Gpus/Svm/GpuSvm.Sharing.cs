using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Gpus.Svm;

/// <content>Memory on the GPU that peers reach.</content>
public sealed partial class GpuSvm
{
    private readonly List<SvmBuffer> shared = []; // protected by gate

    /// <summary>Shares memory of the process with peers of the GPU, at places that the GPU chooses.</summary>
    /// <param name="range">Which memory; whole pages.</param>
    /// <param name="exporter">The exporter's side, which brings the memory behind the BAR; null when refused.</param>
    /// <param name="handle">The buffer; null when refused. The caller disposes it.</param>
    /// <returns>Ok, wherever the memory lies; EINVAL: no whole pages, or not in the window; ENOMEM: no memory for the buffer;
    /// ENODEV: it is closed.</returns>
    public Errno TryShare(VirtRange range, out SvmBuffer? exporter, out BufferHandle? handle)
    {
        exporter = null;
        handle = null;
        bool isWhole = ((range.Start.Value | range.Length.Value) & (PageSize.Small.Bytes.Value - 1)) == 0 && !range.IsEmpty;
        if (!isWhole || !Options.Window.Contains(range) || isClosed)
        {
            return isClosed ? Errno.ENODEV : Errno.EINVAL;
        }

        if (parts.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var made = new SvmBuffer(this, parts, range);
        Errno errno = DmaBuffer.TryExport(parts.Buffers, made, reservation: null, out handle);
        if (!errno.IsOk)
        {
            return errno;
        }

        made.Buffer = handle!.Buffer;
        using RankedLock.Guard held = gate.Enter();
        shared.Add(made);
        exporter = made;
        return Errno.Ok;
    }

    /// <summary>Brings memory behind the BAR, and says where it lies there. Wants no lock held.</summary>
    internal Errno TryBring(SvmBuffer buffer, out PhysRangeList? list)
    {
        list = null;
        var request = new SvmRequest { RequiresDevice = true };
        lock (faulting)
        {
            CollectGarbage();
            ulong end = buffer.Range.Start.Value + buffer.Range.Length.Value;
            for (ulong at = buffer.Range.Start.Value; at < end;)
            {
                Errno errno = TryFindOrInsert(new VirtAddr(at), request, out SvmRange? range);
                errno = errno.IsOk ? TryBringVisible(range!, request) : errno;
                if (!errno.IsOk)
                {
                    return errno;
                }

                at = range!.Range.Start.Value + range.Range.Length.Value;
            }

            using RankedLock.Guard held = gate.Enter();
            return TryList(buffer, out list);
        }
    }

    internal void Forget(SvmBuffer buffer)
    {
        using RankedLock.Guard held = gate.Enter();
        _ = shared.Remove(buffer);
    }

    private Errno TryBringVisible(SvmRange range, SvmRequest request)
    {
        bool isVisible = range.Memory is { LivePages: > 0, Part: VramPart.Visible };
        Errno errno = isVisible ? Errno.Ok : TryEvict(range);
        errno = errno.IsOk && !isVisible ? TryMigrateToDevice(range, request, [VramPart.Visible]) : errno;
        return errno.IsOk ? TryGetPages(range, request) : errno;
    }

    // With the gate held: from here on an invalidation ends what is told.
    private Errno TryList(SvmBuffer buffer, out PhysRangeList? list)
    {
        list = null;
        ValidityToken validity = buffer.Validity;
        var builder = new PhysRangeListBuilder(parts.Owners);
        ulong end = buffer.Range.Start.Value + buffer.Range.Length.Value;
        for (ulong at = buffer.Range.Start.Value; at < end; at += PageSize.Small.Bytes.Value)
        {
            SvmRange? range = FindMapped(new VirtAddr(at));
            if (range is null)
            {
                return Errno.EBUSY; // taken away again already
            }

            SvmEntry entry = range.Entries[(int)((at - range.Range.Start.Value) >> PageSize.Small.Shift)];
            PageCount page = entry.IsOnDevice ? entry.Frame.OffsetFrom(parts.Bytes.Frames.Start) : parts.Pool.VisiblePages;
            Errno errno = page < parts.Pool.VisiblePages
                ? builder.TryAppend(parts.Bytes.AddressOf(new VramRun(page, PageCount.One)))
                : Errno.EBUSY;
            if (!errno.IsOk)
            {
                return errno == Errno.EFAULT ? Errno.ENODEV : errno;
            }
        }

        list = builder.Build(validity);
        return Errno.Ok;
    }

    // With the gate held.
    private SvmRange? FindMapped(VirtAddr at)
    {
        VirtRange bounds = BlockOf(at, Options.BlockLength);
        return blocks.TryGetValue(bounds.Start.Value, out SvmBlock? block) && block.Find(at) is { HasPages: true } range ? range : null;
    }

    // With the gate held: peers first.
    private void EndShared(VirtRange what)
    {
        foreach (SvmBuffer buffer in shared)
        {
            if (buffer.Range.Overlaps(what))
            {
                buffer.End();
            }
        }
    }
}
