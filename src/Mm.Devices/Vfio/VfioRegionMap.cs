using Mm.Core;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Devices.Vfio;

/// <summary>A part of a BAR as a process has mapped it.</summary>
/// <remarks>
/// Owns nothing of the BAR: whenever the device does not decode its memory, or is reset or gone, every access is a bus error,
/// and when it decodes again the accesses work again.
/// <para><b>Linux:</b> vfio_pci_core_mmap, vfio_pci_mmap_page_fault, vfio_pci_zap_bars (drivers/vfio/pci/vfio_pci_core.c, v6.12).
/// Simplified: it stands for the mapping, and is no area of an address space.</para>
/// <para><b>Locking:</b> safe from any thread: an access holds the device's memory lock for reading.</para>
/// </remarks>
public sealed class VfioRegionMap : IDisposable
{
    private readonly VfioPciDevice device;
    private readonly PhysRange range;
    private int isUnmapped; // atomic

    internal VfioRegionMap(VfioPciDevice device, PhysRange range)
    {
        this.device = device;
        this.range = range;
    }

    /// <summary>How many bytes.</summary>
    public ByteCount Length => range.Length;

    /// <summary>A CPU reads.</summary>
    /// <param name="offset">Where in the mapping.</param>
    /// <param name="into">Where to put the bytes.</param>
    /// <returns>Done; SegmentationFault: unmapped, or not in the mapping; BusError: the device does not decode its memory.</returns>
    public FaultResult Read(ByteCount offset, Span<byte> into)
    {
        using SpanLease lease = Access(offset, into.Length, out FaultResult result);
        if (result == FaultResult.Done)
        {
            lease.Bytes.CopyTo(into);
        }

        return result;
    }

    /// <summary>A CPU writes.</summary>
    /// <param name="offset">Where in the mapping.</param>
    /// <param name="from">The bytes.</param>
    /// <returns>As <see cref="Read"/>.</returns>
    public FaultResult Write(ByteCount offset, ReadOnlySpan<byte> from)
    {
        using SpanLease lease = Access(offset, from.Length, out FaultResult result);
        if (result == FaultResult.Done)
        {
            from.CopyTo(lease.Bytes);
        }

        return result;
    }

    /// <summary>Unmaps it. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isUnmapped, 1) == 0)
        {
            device.Forget(this);
        }
    }

    private SpanLease Access(ByteCount offset, int length, out FaultResult result)
    {
        bool isInside = offset <= range.Length && (ulong)length <= range.Length.Value - offset.Value;
        if (!isInside || Volatile.Read(ref isUnmapped) != 0)
        {
            result = FaultResult.SegmentationFault;
            return default;
        }

        bool isThere = device.TryLease(range.Slice(offset, new ByteCount((ulong)length)), out SpanLease lease);
        result = isThere ? FaultResult.Done : FaultResult.BusError;
        return lease;
    }
}
