using Mm.Core;
using Mm.Core.Native;

namespace Mm.Hmm.Copying;

/// <summary>A device's own memory, which no CPU can reach, and its view of everything else.</summary>
/// <remarks>
/// Owns the bytes. Does not hand pages out: the page map that describes them and the driver do.
/// <para><b>Linux:</b> the memory of the device in lib/test_hmm.c, there plain kernel pages behind a device-private page's
/// zone_device_data (v6.12).</para>
/// <para><b>States:</b> open → disposed; leases that are open then stay good until they end.</para>
/// <para><b>Locking:</b> immutable but for its end; safe from any thread.</para>
/// </remarks>
public sealed class DeviceMemory : IPageBytes, IDisposable
{
    private readonly NativeRegion bytes;
    private readonly IPageBytes outside;

    /// <summary>Puts bytes behind frames.</summary>
    /// <param name="frames">The frames that stand for the memory, as a rule those of a device-private page map.</param>
    /// <param name="bytes">The memory, from <see cref="Machine.CreateDeviceMemory"/>; disposed with this object.</param>
    /// <param name="outside">How the device sees all other pages.</param>
    /// <exception cref="ArgumentException">There are not as many bytes as frames.</exception>
    public DeviceMemory(PfnRange frames, NativeRegion bytes, IPageBytes outside)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentNullException.ThrowIfNull(outside);
        if (bytes.Length != frames.Count.ToBytes())
        {
            throw new ArgumentException($"bytes must be those of {frames.Count}; they are {bytes.Length}", nameof(bytes));
        }

        Frames = frames;
        this.bytes = bytes;
        this.outside = outside;
    }

    /// <summary>The frames that stand for the memory.</summary>
    public PfnRange Frames { get; }

    /// <inheritdoc/>
    public Errno TryLease(Pfn page, PageSize size, out SpanLease lease)
    {
        if (!Frames.Overlaps(new PfnRange(page, size.Pages)))
        {
            return outside.TryLease(page, size, out lease);
        }

        lease = default;
        return Frames.Contains(new PfnRange(page, size.Pages))
            && bytes.TryLease(page.OffsetFrom(Frames.Start).ToBytes(), size.Bytes, out lease)
            ? Errno.Ok
            : Errno.ENXIO; // half inside, or the device is gone
    }

    /// <inheritdoc/>
    public Errno TryLeaseAround(Pfn page, PageSize size, out SpanLease lease, out PfnRange pages)
    {
        var wanted = new PfnRange(page, size.Pages);
        if (!Frames.Overlaps(wanted))
        {
            return outside.TryLeaseAround(page, size, out lease, out pages);
        }

        lease = default;
        pages = default;
        if (!Frames.Contains(wanted)
            || !bytes.TryLeaseAround(page.OffsetFrom(Frames.Start).ToBytes(), size.Bytes, out lease, out ByteCount start))
        {
            return Errno.ENXIO;
        }

        pages = new PfnRange(Frames.Start.AddChecked(start.ToPagesRoundDown()), lease.Length.ToPagesRoundDown());
        return Errno.Ok;
    }

    /// <summary>Ends the memory. Twice does nothing.</summary>
    public void Dispose() => bytes.Dispose();
}
