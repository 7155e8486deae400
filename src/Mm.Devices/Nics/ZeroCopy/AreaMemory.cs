using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.Devices.Iommufd;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>What an area is made of: pages of a process, pinned, or a shared buffer, attached; and its mapping for the card.</summary>
/// <remarks>
/// Owns pins or attachment, and the mapping.
/// <para><b>Linux:</b> struct io_zcrx_mem (io_uring/zcrx.c, v6.15).</para>
/// <para><b>Invariants:</b> (1) unmapped once, while the card is there; (2) pages of a process stay pinned while the area lives.</para>
/// <para><b>Locking:</b> a lock of its own around the mapping. <b>Linux:</b> dma_lock.</para>
/// </remarks>
internal sealed class AreaMemory : IDisposable
{
    private readonly Lock gate = new();
    private readonly Machine machine;
    private readonly DmaDevice device;
    private readonly PinAccount? account;
    private PagePin[] pins = [];
    private PageCount charged;
    private PhysRangeList? list; // of pinned pages
    private DmaMapping? mapping; // of pinned pages, protected by gate
    private BufferAttachment? attachment; // protected by gate
    private BufferMapping? bufferMapping; // protected by gate
    private bool isMapped; // protected by gate

    private AreaMemory(Machine machine, DmaDevice device, ZeroCopyOptions options)
    {
        this.machine = machine;
        this.device = device;
        account = options.Account;
        Length = options.Length;
        Buffer = options.Buffer?.Buffer;
    }

    internal ByteCount Length { get; }

    /// <summary>The shared buffer; null where it is memory of a process.</summary>
    internal DmaBuffer? Buffer { get; }

    internal int PinCount => pins.Length;

    internal bool IsMapped
    {
        get
        {
            lock (gate)
            {
                return isMapped;
            }
        }
    }

    /// <summary>Pins or attaches.</summary>
    internal static Errno TryImport(Machine machine, DmaDevice device, ZeroCopyOptions options, out AreaMemory? memory)
    {
        memory = null;
        var made = new AreaMemory(machine, device, options);
        Errno errno = options.Buffer is { } buffer
            ? made.TryAttach(buffer, options)
            : made.TryPin(options.Space, options.Start);
        if (!errno.IsOk)
        {
            made.Dispose();
            return errno;
        }

        memory = made;
        return Errno.Ok;
    }

    /// <summary>Maps it for the card, unless it is.</summary>
    internal Errno TryMap(out DmaSegment[] segments)
    {
        segments = [];
        lock (gate)
        {
            Errno errno = Errno.Ok;
            if (Buffer is null && mapping is null)
            {
                errno = device.TryMap(list!, DmaDirection.FromDevice, out mapping);
            }
            else if (Buffer is not null && bufferMapping is null)
            {
                errno = Errno.ENODEV;
            }

            isMapped = errno.IsOk;
            segments = !errno.IsOk ? [] : Buffer is null ? mapping!.Segments.ToArray() : bufferMapping!.Segments.ToArray();
            return errno;
        }
    }

    /// <summary>Unmaps it, if it is; a shared buffer is detached, pages stay pinned.</summary>
    internal void Unmap()
    {
        lock (gate)
        {
            isMapped = false;
            mapping?.Dispose();
            bufferMapping?.Dispose();
            attachment?.Dispose();
            (mapping, bufferMapping, attachment) = (null, null, null);
        }
    }

    /// <summary>Copies bytes into a page, as the kernel does with what landed elsewhere.</summary>
    internal void Write(int page, ReadOnlySpan<byte> bytes)
    {
        using SpanLease lease = machine.Lease(new PhysRange(pins[page].Page.Address, new ByteCount((ulong)bytes.Length)));
        bytes.CopyTo(lease.Bytes);
    }

    public void Dispose()
    {
        Unmap();
        list?.Dispose();
        list = null;
        foreach (PagePin pin in pins)
        {
            pin.Dispose();
        }

        pins = [];
        if (!charged.IsZero)
        {
            account!.Uncharge(charged);
            charged = default;
        }
    }

    private Errno TryAttach(BufferHandle buffer, ZeroCopyOptions options)
    {
        if (options.Start != VirtAddr.Zero)
        {
            return Errno.EINVAL;
        }

        Errno errno = BufferAttachment.TryAttach(buffer, device, importer: null, out attachment);
        errno = errno.IsOk ? attachment!.TryMap(DmaDirection.FromDevice, out bufferMapping) : errno;
        if (!errno.IsOk)
        {
            return errno;
        }

        return buffer.Buffer.Size == options.Length ? Errno.Ok : Errno.EINVAL;
    }

    private Errno TryPin(AddressSpace? space, VirtAddr start)
    {
        if (space is null || start == VirtAddr.Zero)
        {
            return Errno.EFAULT;
        }

        if (machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var taken = new PagePin[Length.ToPagesRoundUp().Value];
        Errno errno = space.TryPin(start, PinFlags.Write | PinFlags.LongTerm | PinFlags.Fast, taken, out int count);
        pins = taken[..count];
        if (errno.IsOk && count < taken.Length)
        {
            errno = Errno.EFAULT;
        }

        errno = errno.IsOk ? TryList() : errno;
        return errno.IsOk ? TryCharge() : errno;
    }

    private Errno TryList()
    {
        if (machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        foreach (PagePin pin in pins)
        {
            Errno errno = builder.TryAppendFrames(new PfnRange(pin.Page, new PageCount(1)));
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        list = builder.Build();
        return Errno.Ok;
    }

    private Errno TryCharge()
    {
        var pages = new PageCount((ulong)pins.Length);
        Errno errno = account?.TryCharge(pages) ?? Errno.Ok;
        charged = errno.IsOk && account is not null ? pages : default;
        return errno;
    }
}
