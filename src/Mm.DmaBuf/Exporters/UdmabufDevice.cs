using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Exporters;

/// <summary>Makes shared buffers of the pages of sealed in-memory files, so that a process's own memory can be a buffer.</summary>
/// <remarks>
/// Owns nothing; each buffer owns pins of its pages.
/// <para><b>Linux:</b> /dev/udmabuf, drivers/dma-buf/udmabuf.c (v6.12). Differences: pages are not moved out of movable zones
/// before they are pinned; hugetlb files are not modelled.</para>
/// <para><b>Invariants:</b> (1) seals are tested and pages pinned in one step of the file (museum 22).</para>
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
public sealed class UdmabufDevice
{
    private readonly BufferRegistry registry;

    /// <summary>Makes the device of a machine.</summary>
    /// <param name="registry">The machine's buffers.</param>
    public UdmabufDevice(BufferRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        this.registry = registry;
    }

    /// <summary>How many items a list may have. <b>Linux:</b> list_limit.</summary>
    public int MaxItems { get; init; } = 1024;

    /// <summary>How large a buffer may be. <b>Linux:</b> size_limit_mb.</summary>
    public ByteCount MaxSize { get; init; } = ByteCount.FromMiB(64);

    /// <summary>Makes a buffer of pieces of files.</summary>
    /// <param name="items">The pieces, in order.</param>
    /// <param name="handle">The buffer; null when refused. The caller disposes it.</param>
    /// <returns>
    /// Ok; EINVAL: too many items, an offset or size that is no multiple of 4 KiB, nothing at all or more than
    /// <see cref="MaxSize"/>, a file not sealed against shrinking or sealed against writing, or a piece beyond its end;
    /// EBADFD: not an in-memory file; ENOMEM: no memory for a page or for the books.
    /// </returns>
    /// <remarks><b>Linux:</b> UDMABUF_CREATE and UDMABUF_CREATE_LIST (v6.12).</remarks>
    public Errno TryCreate(ReadOnlySpan<UdmabufItem> items, out BufferHandle? handle)
    {
        handle = null;
        if (items.Length > MaxItems || !TryMeasure(items, out PageCount total))
        {
            return Errno.EINVAL;
        }

        if (registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var pins = new PagePin[total.Value];
        registry.Contexts.Points?.Reach("before-pin");
        Errno errno = TryPinAll(items, pins);
        registry.Contexts.Points?.Reach("after-pin");
        if (errno.IsOk)
        {
            errno = DmaBuffer.TryExport(registry, new UdmabufBuffer(registry.Machine, pins), reservation: null, out handle);
        }

        if (!errno.IsOk)
        {
            // Not exported, the pins are still ours.
            UdmabufBuffer.Unpin(pins);
        }

        return errno;
    }

    private bool TryMeasure(ReadOnlySpan<UdmabufItem> items, out PageCount total)
    {
        total = default;
        ulong pages = 0;
        foreach (UdmabufItem item in items)
        {
            if (((item.Offset.Value | item.Size.Value) % PageSize.Small.Bytes.Value) != 0)
            {
                return false;
            }

            pages += item.Size.ToPagesRoundDown().Value;
            if (pages > MaxSize.ToPagesRoundDown().Value)
            {
                return false;
            }
        }

        total = new PageCount(pages);
        return pages != 0;
    }

    private static Errno TryPinAll(ReadOnlySpan<UdmabufItem> items, Span<PagePin> pins)
    {
        foreach (UdmabufItem item in items)
        {
            if (item.File is null)
            {
                return Errno.EBADFD;
            }

            int count = (int)item.Size.ToPagesRoundDown().Value;
            Errno errno = item.File.TryPinSealed(
                FileSeals.Shrink, FileSeals.Write | FileSeals.FutureWrite, item.Offset.ToPagesRoundDown(), pins[..count]);
            if (!errno.IsOk)
            {
                return errno;
            }

            pins = pins[count..];
        }

        return Errno.Ok;
    }
}
