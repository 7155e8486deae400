using Mm.Core;
using Mm.Core.Native;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Gpus.Objects;

/// <summary>A page of a GPU's registers that rings it: given to a program, shared with devices, pinned for nobody.</summary>
/// <remarks>
/// Owns its page until it is disposed. Shared, it is a piece of the BAR without page descriptors, which can be taken away at
/// any time: importers that do not follow moves are refused, and so is every pin.
/// <para><b>Linux:</b> a doorbell of amdgpu (AMDGPU_GEM_DOMAIN_DOORBELL, v6.12), shared as VFIO shares BARs (v6.19).</para>
/// <para><b>States:</b> given → taken back by <see cref="Dispose"/>, from every importer too.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class GpuDoorbell : IDisposable
{
    private readonly GpuDoorbells owner;
    private readonly BarBuffer exporter;
    private readonly BufferHandle own;
    private int isDisposed; // atomic

    internal GpuDoorbell(GpuDoorbells owner, PageCount page, PhysRange range, BarBuffer exporter, BufferHandle own)
    {
        this.owner = owner;
        this.exporter = exporter;
        this.own = own;
        Page = page;
        Range = range;
    }

    /// <summary>How many doorbells lie before it in the BAR.</summary>
    public PageCount Page { get; }

    /// <summary>Where CPUs find it.</summary>
    public PhysRange Range { get; }

    /// <summary>Shares it.</summary>
    /// <returns>A handle of the shared buffer; the caller disposes it.</returns>
    /// <exception cref="ObjectDisposedException">It was taken back.</exception>
    public BufferHandle Share() => own.Duplicate();

    /// <summary>What was written to it last, as the GPU sees it.</summary>
    /// <param name="value">The value.</param>
    /// <returns>Ok; ENODEV: it was taken back, or the GPU is gone.</returns>
    public Errno TryReadValue(out ulong value)
    {
        value = 0;
        if (Volatile.Read(ref isDisposed) != 0 || !owner.Machine.TryLease(Range, out SpanLease lease).IsOk)
        {
            return Errno.ENODEV;
        }

        using (lease)
        {
            value = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(lease.Bytes);
            return Errno.Ok;
        }
    }

    /// <summary>Gives it to its importers again after a reset, which took it from them.</summary>
    /// <returns>Ok, also where nothing took it; EBUSY: what an importer did before has not ended; ENODEV: it was taken back, or
    /// the GPU is gone.</returns>
    public Errno TryRestore()
    {
        if (!exporter.IsRevoked)
        {
            return Errno.Ok;
        }

        // The reset did not wait: addresses from before end here.
        Errno errno = exporter.TryRevoke(timeoutNs: 0);
        return errno.IsOk ? exporter.TryRestore() : Errno.EBUSY;
    }

    /// <summary>Takes it back, once importers' fences have signaled: their addresses are dead then. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 0)
        {
            exporter.TryRevoke(isForGood: true).ThrowIfError(); // waits for as long as it takes
            own.Dispose();
            owner.Return(this);
        }
    }

    /// <summary>Page and place.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"doorbell {Page.Value} at {Range}";

    /// <summary>The GPU was reset or is gone: importers are told, and map no more.</summary>
    /// <param name="isForGood">Whether it is gone.</param>
    internal void Revoke(bool isForGood) =>
        _ = exporter.TryRevoke(isForGood, timeoutNs: 0); // ETIME: what is under way ends by itself, or with the BAR's provider

    /// <summary>Says who holds what of it.</summary>
    internal void Report(ICollection<LedgerEntry> entries)
    {
        DmaBuffer buffer = own.Buffer;
        void Add(HoldingKind kind, int count)
        {
            if (count > 0)
            {
                string holder = $"{owner.Name} doorbell {Page.Value}";
                entries.Add(new LedgerEntry(holder, kind, $"dma-buf {buffer.Number}", owner.Id, (ulong)count));
            }
        }

        Add(HoldingKind.Attachment, buffer.AttachmentCount);
        Add(HoldingKind.Handle, buffer.HandleCount);
        Add(HoldingKind.Fence, buffer.Reservation.GetFences(FenceUsage.Bookkeep).Count);
    }
}
