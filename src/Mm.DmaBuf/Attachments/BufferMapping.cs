using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;

namespace Mm.DmaBuf.Attachments;

/// <summary>A shared buffer as one device reaches it: addresses, good until the buffer moves.</summary>
/// <remarks>
/// Holds a use of the attachment's mapping, which is made anew only when the memory has moved. Ask
/// <see cref="IsValid"/> with the reservation locked before each use; a device that uses it later faults.
/// <para><b>Linux:</b> the struct sg_table between dma_buf_map_attachment and dma_buf_unmap_attachment (v6.12). Difference:
/// giving it back needs no lock.</para>
/// <para><b>States:</b> mapped → ended, by <see cref="Dispose"/> or because the attachment ended.</para>
/// <para><b>Locking:</b> safe from any thread; one lease is one thread's at a time.</para>
/// </remarks>
public sealed class BufferMapping : IDisposable
{
    private AttachedMapping? mapping; // atomic: Dispose takes it once

    internal BufferMapping(AttachedMapping mapping)
    {
        mapping.AddUser();
        this.mapping = mapping;
    }

    /// <summary>The addresses that the device is programmed with.</summary>
    /// <exception cref="ObjectDisposedException">The mapping has ended.</exception>
    public ReadOnlySpan<DmaSegment> Segments => Mapping.Dma.Segments;

    /// <summary>Which way the bytes may flow; both ways where the core keeps one mapping for all.</summary>
    /// <exception cref="ObjectDisposedException">The mapping has ended.</exception>
    public DmaDirection Direction => Mapping.Dma.Direction;

    /// <summary>All bytes in order, each range with its owner.</summary>
    /// <exception cref="ObjectDisposedException">The mapping has ended.</exception>
    public PhysRangeList List => Mapping.List;

    /// <summary>Whether the addresses still lead to the bytes.</summary>
    public bool IsValid => Volatile.Read(ref mapping)?.Dma.IsValid ?? false;

    private AttachedMapping Mapping
    {
        get
        {
            AttachedMapping? live = Volatile.Read(ref mapping);
            ObjectDisposedException.ThrowIf(live is null, this);
            return live;
        }
    }

    /// <summary>Appends the bytes to a scatterlist, for those who want one.</summary>
    /// <param name="table">The scatterlist.</param>
    /// <param name="maxSegment">The most bytes of an entry.</param>
    /// <returns>Ok; EFAULT: a range has no page descriptors; EINVAL: <paramref name="maxSegment"/> is below a page;
    /// EOVERFLOW: more bytes than it can hold.</returns>
    /// <exception cref="ObjectDisposedException">The mapping has ended.</exception>
    public Errno TryAppendTo(Scatterlist table, ByteCount maxSegment)
    {
        ArgumentNullException.ThrowIfNull(table);
        return table.TryAppendRanges(List, maxSegment);
    }

    /// <summary>Gives the bytes to the CPU.</summary>
    /// <exception cref="ObjectDisposedException">The mapping has ended.</exception>
    public void SyncForCpu() => Mapping.Dma.SyncForCpu();

    /// <summary>Gives the bytes back to the device.</summary>
    /// <exception cref="ObjectDisposedException">The mapping has ended.</exception>
    public void SyncForDevice() => Mapping.Dma.SyncForDevice();

    /// <summary>Ends the use. Twice does nothing.</summary>
    public void Dispose() => Interlocked.Exchange(ref mapping, null)?.DropUser();

    /// <summary>The mapping in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Volatile.Read(ref mapping)?.Dma.ToString() ?? "ended";
}
