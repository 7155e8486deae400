using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.P2pDma;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.DmaBuf.Exporters;

/// <summary>Shares pieces of BARs as they are: no page descriptors, one provider for all pieces of a BAR, at any granule.</summary>
/// <remarks>
/// Owns nothing: the device's driver stays the only allocator of the BAR, and each buffer owns its list.
/// <para><b>Linux:</b> VFIO_DEVICE_FEATURE_DMA_BUF, vfio_pci_core_feature_dma_buf (v6.19). Difference: pieces need not be pages
/// unless <see cref="Granule"/> says so, as there.</para>
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
public sealed class BarExporter
{
    private readonly BufferRegistry registry;
    private readonly PciSystem pci;

    /// <summary>Makes the exporter of a machine's BARs.</summary>
    /// <param name="registry">The machine's buffers.</param>
    /// <param name="pci">The machine's PCI side.</param>
    public BarExporter(BufferRegistry registry, PciSystem pci)
    {
        ArgumentNullException.ThrowIfNull(registry);
        ArgumentNullException.ThrowIfNull(pci);
        this.registry = registry;
        this.pci = pci;
    }

    /// <summary>What offsets and lengths must be multiples of; 4 KiB as in Linux unless set, 1 for any.</summary>
    public ByteCount Granule { get; init; } = PageSize.Small.Bytes;

    /// <summary>Whether processes may map the buffers, as they may map the BAR itself; not in Linux v6.19.</summary>
    public bool AllowsCpuMap { get; init; }

    /// <summary>Whether an importer that follows moves may pin: a pin keeps the memory where it is, and not from being taken away.
    /// <b>Linux:</b> VFIO's exporter lets pinned importers in that take a revocation (2026); before, it pinned for nobody.</summary>
    public bool PinsForRevocable { get; init; }

    /// <summary>Shares pieces of a BAR as one buffer.</summary>
    /// <param name="place">The function.</param>
    /// <param name="bar">The BAR's index.</param>
    /// <param name="pieces">The pieces, in the order of the buffer's bytes.</param>
    /// <param name="buffer">The exporter's side: takes the memory away and gives it back; null when refused.</param>
    /// <param name="handle">The buffer; null when refused. The caller disposes it.</param>
    /// <param name="isRevoked">Whether it starts taken away, as while the device does not decode its memory.</param>
    /// <returns>
    /// Ok; EINVAL: no piece, an empty one, one that is no multiple of <see cref="Granule"/> or ends past the BAR, or no memory
    /// BAR; EOVERFLOW: the lengths have no sum; ENODEV: no such function; ENXIO: the BAR has no window in the machine; EBUSY:
    /// somebody else's provider answers for it; ENOMEM: no memory.
    /// </returns>
    public Errno TryExport(
        PciPlace place,
        int bar,
        ReadOnlySpan<BarRange> pieces,
        out BarBuffer? buffer,
        out BufferHandle? handle,
        bool isRevoked = false)
    {
        buffer = null;
        handle = null;
        Errno errno = pci.Bars.TryGet(place, bar, out BarProvider? provider);
        errno = errno.IsOk ? Check(pieces, provider!.Aperture) : errno;
        if (!errno.IsOk)
        {
            return errno;
        }

        if (registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var ranges = new PhysRange[pieces.Length];
        for (int index = 0; index < ranges.Length; index++)
        {
            ranges[index] = provider!.Aperture.Slice(pieces[index].Offset, pieces[index].Length);
        }

        var made = new BarBuffer(pci, provider!, ranges, isRevoked, AllowsCpuMap, PinsForRevocable);
        errno = DmaBuffer.TryExport(registry, made, reservation: null, out handle);
        made.Buffer = handle?.Buffer;
        buffer = errno.IsOk ? made : null;
        return errno;
    }

    private Errno Check(ReadOnlySpan<BarRange> pieces, PhysRange aperture)
    {
        ByteCount total = ByteCount.Zero;
        foreach (BarRange piece in pieces)
        {
            bool isMultiple = piece.Offset.Value % Granule.Value == 0 && piece.Length.Value % Granule.Value == 0;
            if (piece.Length.IsZero || !isMultiple)
            {
                return Errno.EINVAL;
            }

            if (!total.TryAdd(piece.Length, out ByteCount sum) || !piece.Offset.TryAdd(piece.Length, out ByteCount end))
            {
                return Errno.EOVERFLOW;
            }

            total = sum;
            if (end > aperture.Length)
            {
                return Errno.EINVAL;
            }
        }

        return total.IsZero ? Errno.EINVAL : Errno.Ok;
    }
}
