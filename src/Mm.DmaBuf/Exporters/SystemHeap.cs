using Mm.Core;
using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Exporters;

/// <summary>The heap of ordinary RAM: zeroed, in large pieces where there are any, and never moved.</summary>
/// <remarks>
/// Owns nothing; each buffer owns its memory.
/// <para><b>Linux:</b> drivers/dma-buf/heaps/system_heap.c (v6.12).</para>
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
public sealed class SystemHeap : IDmaHeap
{
    private readonly BufferRegistry registry;

    /// <summary>Makes the heap of a machine.</summary>
    /// <param name="registry">The machine's buffers.</param>
    public SystemHeap(BufferRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        this.registry = registry;
    }

    /// <inheritdoc/>
    public string Name => "system";

    /// <inheritdoc/>
    public Errno TryAllocate(ByteCount size, out BufferHandle? handle)
    {
        handle = null;
        if (registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        Errno errno = RamStore.TryAllocate(registry.Machine, size, out RamStore? store);
        if (!errno.IsOk)
        {
            return errno;
        }

        // Refused, the memory is still ours; exported, it is the buffer's.
        errno = DmaBuffer.TryExport(registry, new HeapBuffer(Name, store!), reservation: null, out handle);
        if (!errno.IsOk)
        {
            store!.Dispose();
        }

        return errno;
    }
}
