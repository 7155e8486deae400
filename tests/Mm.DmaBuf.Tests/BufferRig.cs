using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests;

/// <summary>A small machine with RAM and the sharing of it; validated at its end.</summary>
internal sealed class BufferRig : IDisposable
{
    internal const int Page = 4096;

    internal BufferRig(IYieldPoints? points = null)
        : this(PhysAddr.Zero, points)
    {
    }

    internal BufferRig(PhysAddr ram, IYieldPoints? points)
    {
        Machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(ram, ByteCount.FromMiB(16))).Build();
        System = new BufferSystem(Machine, points);
    }

    internal Machine Machine { get; }

    internal BufferSystem System { get; }

    internal FenceContexts Contexts => System.Contexts;

    internal PageCount InUse => Machine.Allocator.Statistics.InUse;

    public void Dispose()
    {
        System.Validate();
        Machine.Dispose();
    }

    internal static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        for (int index = 0; index < length; index++)
        {
            bytes[index] = unchecked((byte)((index * 31) + seed + (index >> 8)));
        }

        return bytes;
    }

    internal DmaFence Fence() => new(Contexts, Contexts.Next(), seqno: 1);

    internal BufferHandle Heap(int length = Page)
    {
        System.Heaps.TryAllocate("system", new HeapRequest(new ByteCount((ulong)length)), out BufferHandle? handle).ThrowIfError();
        return handle!;
    }

    internal MemoryFile SealedFile(int pages)
    {
        MemoryFile file = Machine.CreateMemoryFile(allowsSealing: true);
        file.TryResize(new PageCount((ulong)pages).ToBytes()).ThrowIfError();
        file.TryAddSeals(FileSeals.Shrink).ThrowIfError();
        return file;
    }

    internal BufferHandle Udmabuf(MemoryFile file, int first, int pages)
    {
        System.Udmabuf.TryCreate([Item(file, first, pages)], out BufferHandle? handle).ThrowIfError();
        return handle!;
    }

    internal static UdmabufItem Item(MemoryFile file, int first, int pages) =>
        new(file, new PageCount((ulong)first).ToBytes(), new PageCount((ulong)pages).ToBytes());

    internal static void Add(DmaBuffer buffer, DmaFence fence, FenceUsage usage)
    {
        using ReservationLock held = buffer.Reservation.Lock();
        held.TryReserve(1).ThrowIfError();
        held.Add(fence, usage);
    }

    /// <summary>A device of its own, not on any bus.</summary>
    internal DmaDevice Device(string name = "device") => Machine.Dma.Attach(Machine.RegisterDevice(name), DmaMask.Bits64);

    internal static KernelView View(DmaBuffer buffer)
    {
        using ReservationLock held = buffer.Reservation.Lock();
        buffer.TryView(held, out KernelView? view).ThrowIfError();
        return view!;
    }
}
