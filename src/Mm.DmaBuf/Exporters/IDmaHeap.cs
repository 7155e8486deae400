using Mm.Core;
using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Exporters;

/// <summary>A place that makes shared buffers of a size for processes that ask.</summary>
/// <remarks>
/// Checks of the request are the caller's, <see cref="DmaHeaps"/>.
/// <para><b>Linux:</b> struct dma_heap_ops (v6.12).</para>
/// <para><b>Locking:</b> called from any thread, with no lock held.</para>
/// </remarks>
public interface IDmaHeap
{
    /// <summary>The heap's name; not empty, and of no other heap of the machine.</summary>
    string Name { get; }

    /// <summary>Makes a buffer whose bytes are zero.</summary>
    /// <param name="size">How many bytes; whole pages, not zero.</param>
    /// <param name="handle">The buffer; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENOMEM: no memory.</returns>
    Errno TryAllocate(ByteCount size, out BufferHandle? handle);
}
