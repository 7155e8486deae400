namespace Mm.Core.Dma;

/// <summary>A list of memory made reachable for one device: the lease of its DMA addresses.</summary>
/// <remarks>
/// Owns an I/O window where the device is translated, and nothing of the memory: whoever made the list keeps that
/// alive. Disposing unmaps; it is safe to do so twice, and <see cref="DmaDiagnostics"/> hears of it.
/// <para><b>Linux:</b> a mapped struct sg_table between dma_map_sgtable and dma_unmap_sgtable (v6.12).</para>
/// <para><b>States:</b> mapped (device owns the bytes ↔ CPU owns them, by sync) → unmapped, once.</para>
/// <para><b>Invariants:</b> (1) segments name the bytes of the list, in order, each once; (2) bus-address segments lie in no
/// I/O window and are never merged; (3) no segment passes the device's limits.</para>
/// <para><b>Locking:</b> safe from any thread; the owner is not told apart by thread.</para>
/// </remarks>
public sealed class DmaMapping : IDisposable
{
    private readonly DmaSegment[] segments; // immutable
    private readonly ValidityToken[] tokens; // immutable
    private int isMapped = 1; // atomic: 1 → 0 once, in Dispose
    private int isCpuOwner; // atomic

    internal DmaMapping(
        DmaDevice device,
        DmaSegment[] segments,
        ValidityToken[] tokens,
        IovaRange window,
        DmaDirection direction,
        DmaAttributes attributes)
    {
        Device = device;
        this.segments = segments;
        this.tokens = tokens;
        Window = window;
        Direction = direction;
        Attributes = attributes;
        foreach (DmaSegment segment in segments)
        {
            Length = Length.AddChecked(segment.Length);
        }
    }

    /// <summary>The device that may use the addresses.</summary>
    public DmaDevice Device { get; }

    /// <summary>Which way the bytes flow.</summary>
    public DmaDirection Direction { get; }

    /// <summary>What the caller asked for.</summary>
    public DmaAttributes Attributes { get; }

    /// <summary>All bytes: the sum over the segments.</summary>
    public ByteCount Length { get; }

    /// <summary>What the device is programmed with.</summary>
    /// <exception cref="ObjectDisposedException">It is unmapped: the addresses mean nothing any more.</exception>
    public ReadOnlySpan<DmaSegment> Segments
    {
        get
        {
            ThrowIfUnmapped();
            return segments;
        }
    }

    /// <summary>Whether it is mapped and everything that it rests on still stands: list, providers, paths and device.</summary>
    public bool IsValid
    {
        get
        {
            bool stands = Volatile.Read(ref isMapped) != 0;
            foreach (ref readonly ValidityToken token in tokens.AsSpan())
            {
                stands &= token.IsValid;
            }

            return stands;
        }
    }

    /// <summary>Whether the CPU owns the bytes: after <see cref="SyncForCpu()"/>, until <see cref="SyncForDevice()"/>.</summary>
    public bool IsOwnedByCpu => Volatile.Read(ref isCpuOwner) != 0;

    /// <summary>The I/O window; none when the device is not translated or all segments are bus addresses.</summary>
    internal IovaRange Window { get; }

    /// <summary>What the device's books hold about this mapping.</summary>
    internal IntervalLedger.Block[] DeviceEntries { get; set; } = [];

    /// <summary>What the machine's books hold about the RAM that this mapping lets a device write.</summary>
    internal IntervalLedger.Block[] RamEntries { get; set; } = [];

    /// <summary>The runs that are reached through slots of low memory.</summary>
    internal BounceSlots[] Bounces { get; init; } = [];

    /// <summary>Whether the device may read.</summary>
    internal bool AllowsRead => Direction != DmaDirection.FromDevice;

    /// <summary>Whether the device may write.</summary>
    internal bool AllowsWrite => Direction != DmaDirection.ToDevice;

    /// <summary>Whether the device may do this: read or write.</summary>
    internal bool Permits(IoAccess access) => access == IoAccess.Read ? AllowsRead : AllowsWrite;

    /// <summary>Gives all bytes to the CPU until <see cref="SyncForDevice()"/>; from bounce buffers, what the device may have written is copied back.</summary>
    /// <remarks><b>Linux:</b> dma_sync_sgtable_for_cpu (v6.12).</remarks>
    /// <exception cref="ObjectDisposedException">It is unmapped.</exception>
    public void SyncForCpu()
    {
        ThrowIfUnmapped();
        Volatile.Write(ref isCpuOwner, 1);
        SyncBounces(toDevice: false);
    }

    /// <summary>Gives all bytes back to the device; into bounce buffers, what it may read is copied anew.</summary>
    /// <remarks><b>Linux:</b> dma_sync_sgtable_for_device (v6.12).</remarks>
    /// <exception cref="ObjectDisposedException">It is unmapped.</exception>
    public void SyncForDevice()
    {
        ThrowIfUnmapped();
        SyncBounces(toDevice: true);
        Volatile.Write(ref isCpuOwner, 0);
    }

    /// <summary>Gives bytes to the CPU; ownership is kept for the mapping as a whole.</summary>
    /// <param name="address">The first DMA address.</param>
    /// <param name="length">How many bytes; all in one segment.</param>
    /// <remarks><b>Linux:</b> dma_sync_single_for_cpu (v6.12).</remarks>
    /// <exception cref="ObjectDisposedException">It is unmapped.</exception>
    public void SyncForCpu(DmaAddr address, ByteCount length)
    {
        ThrowIfUnmapped();
        Volatile.Write(ref isCpuOwner, 1);
        SyncBounces(address, length, toDevice: false);
        ReportUnlessCovered(address, length);
    }

    /// <summary>Gives bytes back to the device; ownership is kept for the mapping as a whole.</summary>
    /// <param name="address">The first DMA address.</param>
    /// <param name="length">How many bytes; all in one segment.</param>
    /// <remarks><b>Linux:</b> dma_sync_single_for_device (v6.12).</remarks>
    /// <exception cref="ObjectDisposedException">It is unmapped.</exception>
    public void SyncForDevice(DmaAddr address, ByteCount length)
    {
        ThrowIfUnmapped();
        SyncBounces(address, length, toDevice: true);
        Volatile.Write(ref isCpuOwner, 0);
        ReportUnlessCovered(address, length);
    }

    /// <summary>Unmaps: the addresses mean nothing from here on.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isMapped, 0) != 0)
        {
            Device.Unmap(this);
            return;
        }

        Device.Diagnostics.Report(DmaDiagnosticKind.DoubleUnmap, Device.Id, $"mapping of {Length} was unmapped before");
    }

    /// <summary>The mapping in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Device.Id}, {Direction}, {segments.Length} segment{(segments.Length == 1 ? "" : "s")}, {Length}"
        + (segments.Length <= 8 ? ": " + string.Join(", ", segments) : "");

    // What a device only reads is never copied back, and what it only writes never over what it has written.
    private void SyncBounces(bool toDevice)
    {
        foreach (BounceSlots bounce in Bounces)
        {
            Sync(bounce, ByteCount.Zero, bounce.Original.Length, toDevice);
        }
    }

    private void SyncBounces(DmaAddr address, ByteCount length, bool toDevice)
    {
        foreach (BounceSlots bounce in Bounces)
        {
            if (bounce.TryFind(address, out ByteCount offset))
            {
                ulong left = bounce.Original.Length.Value - offset.Value;
                Sync(bounce, offset, new ByteCount(Math.Min(length.Value, left)), toDevice);
            }
        }
    }

    private void Sync(BounceSlots bounce, ByteCount offset, ByteCount length, bool toDevice)
    {
        if (toDevice ? AllowsRead : AllowsWrite)
        {
            _ = Device.Bounce!.TrySync(bounce, offset, length, toDevice); // ENXIO: the machine is going
        }
    }

    private void ReportUnlessCovered(DmaAddr address, ByteCount length)
    {
        bool isCovered = false;
        foreach (DmaSegment segment in segments)
        {
            ulong offset = unchecked(address.Value - segment.Address.Value); // wraps to a huge distance when below
            isCovered |= offset <= segment.Length.Value && length.Value <= segment.Length.Value - offset;
        }

        if (!isCovered)
        {
            Device.Diagnostics.Report(
                DmaDiagnosticKind.SyncOutsideMapping, Device.Id, $"sync of [{address}, +0x{length.Value:x}) in {this}");
        }
    }

    private void ThrowIfUnmapped() => ObjectDisposedException.ThrowIf(Volatile.Read(ref isMapped) == 0, this);
}
