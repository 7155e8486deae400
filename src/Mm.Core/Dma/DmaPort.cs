using Mm.Core.Native;

namespace Mm.Core.Dma;

/// <summary>A device's side of the bus: moves bytes at DMA addresses, the way the device's own engine would.</summary>
/// <remarks>
/// Owns nothing. An address goes where the bus takes it: a peer's bus address straight to the peer, everything else through
/// the device's I/O page table, or as a physical address where there is none.
/// <para><b>Linux:</b> none: this is the hardware. Deliberate difference: an address that is not translated is checked
/// against the live mappings, byte by byte, where a real bus would let the access through; a translated one is checked by
/// its page only, as an IOMMU does, and what that lets through beyond the mapping is a diagnostic.</para>
/// <para><b>Invariants:</b> (1) an access that faults moves no byte.</para>
/// <para><b>Locking:</b> safe from any thread; bytes are as shared as memory is.</para>
/// </remarks>
public sealed class DmaPort
{
    private const ulong CacheLine = 64;

    private readonly DmaDevice device;
    private readonly PhysLeaser leaser;

    internal DmaPort(DmaDevice device, PhysLeaser leaser)
    {
        this.device = device;
        this.leaser = leaser;
    }

    /// <summary>The device reads.</summary>
    /// <param name="address">The first DMA address.</param>
    /// <param name="bytes">Where to put the bytes.</param>
    /// <param name="fault">What stopped the access, if anything did.</param>
    /// <returns>Ok, or <see cref="Errno.EFAULT"/>: the access faulted, and <paramref name="fault"/> says why.</returns>
    public Errno TryRead(DmaAddr address, Span<byte> bytes, out DmaFault fault)
    {
        if (!TryResolveAll(address, bytes.Length, IoAccess.Read, out fault))
        {
            return Errno.EFAULT;
        }

        for (int done = 0; done < bytes.Length;)
        {
            if (!TryStep(address, done, bytes.Length, IoAccess.Read, out SpanLease lease, out fault))
            {
                return Errno.EFAULT;
            }

            using (lease)
            {
                lease.Bytes.CopyTo(bytes[done..]);
                done += lease.Bytes.Length;
            }
        }

        return Errno.Ok;
    }

    /// <summary>The device writes.</summary>
    /// <param name="address">The first DMA address.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="fault">What stopped the access, if anything did.</param>
    /// <returns>Ok, or <see cref="Errno.EFAULT"/>: the access faulted, and <paramref name="fault"/> says why.</returns>
    public Errno TryWrite(DmaAddr address, ReadOnlySpan<byte> bytes, out DmaFault fault)
    {
        if (!TryResolveAll(address, bytes.Length, IoAccess.Write, out fault))
        {
            return Errno.EFAULT;
        }

        for (int done = 0; done < bytes.Length;)
        {
            if (!TryStep(address, done, bytes.Length, IoAccess.Write, out SpanLease lease, out fault))
            {
                return Errno.EFAULT;
            }

            using (lease)
            {
                bytes.Slice(done, lease.Bytes.Length).CopyTo(lease.Bytes);
                done += lease.Bytes.Length;
            }
        }

        return Errno.Ok;
    }

    /// <summary>Borrows the bytes at an address, so that they are filled or taken where they lie, with no copy in between.</summary>
    /// <param name="address">The first DMA address.</param>
    /// <param name="length">How many bytes are wanted; above zero, below 2 GiB.</param>
    /// <param name="access">What the device will do with them.</param>
    /// <param name="lease">The bytes from there on that lie together, at least one and at most as many as wanted; none when
    /// refused. The caller disposes it.</param>
    /// <param name="fault">What stopped the access, if anything did.</param>
    /// <returns>Ok, or <see cref="Errno.EFAULT"/>: the access faulted, and <paramref name="fault"/> says why.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is zero, or 2 GiB or more.</exception>
    public Errno TryLease(DmaAddr address, ByteCount length, IoAccess access, out SpanLease lease, out DmaFault fault)
    {
        if (length.Value is 0 or > int.MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "length must be in [1, 2^31)");
        }

        return TryStep(address, 0, (int)length.Value, access, out lease, out fault) ? Errno.Ok : Errno.EFAULT;
    }

    // First the whole way without moving a byte (invariant 1); only a change in between can fault half-way.
    private bool TryResolveAll(DmaAddr address, int length, IoAccess access, out DmaFault fault)
    {
        fault = default;
        for (int done = 0; done < length;)
        {
            if (!TryStep(address, done, length, access, out SpanLease lease, out fault))
            {
                return false;
            }

            done += lease.Bytes.Length;
            lease.Dispose();
        }

        return true;
    }

    private bool TryStep(
        DmaAddr address, int done, int length, IoAccess access, out SpanLease lease, out DmaFault fault)
    {
        lease = default;
        DmaAddr at = address.AddWrapping(new ByteCount((ulong)done));
        DmaFaultKind kind = Resolve(at, (ulong)(length - done), access, out PhysAddr target, out ulong reach);
        if (kind == DmaFaultKind.None)
        {
            kind = TryBorrow(target, Math.Min(reach, (ulong)(length - done)), out lease) ? kind : DmaFaultKind.NoTarget;
        }

        fault = kind == DmaFaultKind.None ? default : new DmaFault(kind, device.Id, at, access);
        return kind == DmaFaultKind.None;
    }

    // A run may go on from one region of memory into the next: then what lies in the first page of it is borrowed alone.
    private bool TryBorrow(PhysAddr target, ulong length, out SpanLease lease)
    {
        lease = default;
        if (!PhysRange.TryCreate(target, new ByteCount(length), out PhysRange range))
        {
            return false;
        }

        if (leaser(range, out lease).IsOk)
        {
            return true;
        }

        ulong inPage = PageSize.Small.Bytes.Value - target.OffsetIn(PageSize.Small).Value;
        return inPage < length && leaser(new PhysRange(target, new ByteCount(inPage)), out lease).IsOk;
    }

    // Where one address leads, and for how many bytes the answer holds.
    private DmaFaultKind Resolve(DmaAddr at, ulong most, IoAccess access, out PhysAddr target, out ulong reach)
    {
        target = default;
        reach = 0;
        bool isBooked = device.Books.TryFind(at.Value, 1, access, out LedgerRun run, out DmaMapping? mapping);
        if (device.Domain is { } domain && !(isBooked && run.IsBusAddress))
        {
            return Translate(domain, at, most, access, run, mapping, out target, out reach);
        }

        if (!isBooked)
        {
            return DmaFaultKind.NotMapped;
        }

        if (!mapping!.Permits(access))
        {
            return access == IoAccess.Read ? DmaFaultKind.ReadDenied : DmaFaultKind.WriteDenied;
        }

        if (!mapping.IsValid)
        {
            return DmaFaultKind.Stale;
        }

        ulong offset = at.Value - run.Start;
        target = run.Target.AddChecked(new ByteCount(offset));
        reach = run.Length - offset;
        ReportIfCpuOwns(mapping, at);
        return DmaFaultKind.None;
    }

    private DmaFaultKind Translate(
        IommuDomain domain,
        DmaAddr at,
        ulong most,
        IoAccess access,
        LedgerRun run,
        DmaMapping? mapping,
        out PhysAddr target,
        out ulong reach)
    {
        if (!domain.TryTranslateRun(at, mapping is null ? 0 : most, access, out target, out IoAccess allowed, out reach))
        {
            return DmaFaultKind.NotMapped;
        }

        if ((allowed & access) == IoAccess.None)
        {
            return access == IoAccess.Read ? DmaFaultKind.ReadDenied : DmaFaultKind.WriteDenied;
        }

        if (mapping is null)
        {
            // Another device of the domain may have mapped it; or it is the rest of a page that is mapped in part.
            reach = Math.Min(reach, CacheLine - (at.Value & (CacheLine - 1)));
            device.Diagnostics.Report(
                DmaDiagnosticKind.AccessOutsideMapping, device.Id, $"{access} at {at} is in no mapping of the device");
            return DmaFaultKind.None;
        }

        if (!mapping.IsValid)
        {
            return DmaFaultKind.Stale;
        }

        reach = Math.Min(reach, run.Length - (at.Value - run.Start));
        ReportIfCpuOwns(mapping, at);
        return DmaFaultKind.None;
    }

    private void ReportIfCpuOwns(DmaMapping mapping, DmaAddr at)
    {
        if (mapping.IsOwnedByCpu)
        {
            device.Diagnostics.Report(
                DmaDiagnosticKind.AccessWhileCpuOwns, device.Id, $"{at} was not given back by a sync");
        }
    }
}
