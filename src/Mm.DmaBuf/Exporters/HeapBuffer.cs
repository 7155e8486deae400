using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Exporters;

/// <summary>A buffer of a heap: RAM that stays where it is.</summary>
/// <remarks>
/// Owns the RAM.
/// <para><b>Linux:</b> struct system_heap_buffer, system_heap_buf_ops (v6.12).</para>
/// </remarks>
internal sealed class HeapBuffer(string heap, RamStore store) : IBufferExporter
{
    public string Name => heap;

    public ByteCount Size { get; } = store.List.Length;

    public BufferTraits Traits { get; } = new() { HasCpuMap = true, MapsAtOnce = true, HasKernelView = true };

    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        list = store.List;
        return Errno.Ok;
    }

    public void Release() => store.Dispose();
}
