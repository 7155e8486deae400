using System.Diagnostics;
using Mm.Benchmarks.Buffers;
using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Benchmarks.Attachments;

/// <summary>A buffer of 1 MiB with so many attachments of importers that follow moves.</summary>
internal sealed class SharedBufferWorkload
{
    private const int Operations = 100_000;
    private const int LeastTold = 100_000;

    private readonly BufferHandle handle;
    private readonly BufferAttachment[] attachments;
    private readonly DmaDevice device;
    private readonly Importer importer = new();

    internal SharedBufferWorkload(int count)
    {
        Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(1))).Build();
        var system = new BufferSystem(machine);
        var builder = new Core.PhysRanges.PhysRangeListBuilder(machine.RangeOwners);
        builder.TryAppend(new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(1))).ThrowIfError();
        var exporter = new ListExporter(builder.Build(), new BufferTraits { Moves = true });
        DmaBuffer.TryExport(system.Buffers, exporter, reservation: null, out BufferHandle? made).ThrowIfError();
        handle = made!;
        device = machine.Dma.Attach(machine.RegisterDevice("device"), DmaMask.Bits64);
        attachments = [.. Enumerable.Range(0, count).Select(_ => Attach(importer))];
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        attachments[0].TryMap(held, DmaDirection.Bidirectional, out _).ThrowIfError();
    }

    /// <summary>One more comes and goes; nanoseconds for both.</summary>
    internal double Attach()
    {
        long begin = Stopwatch.GetTimestamp();
        for (int count = 0; count < Operations; count++)
        {
            Attach(importer).Dispose();
        }

        return Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Operations;
    }

    /// <summary>The first one maps what has not moved; nanoseconds.</summary>
    internal double MapUnchanged()
    {
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        long begin = Stopwatch.GetTimestamp();
        for (int count = 0; count < Operations; count++)
        {
            attachments[0].TryMap(held, DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
            mapping!.Dispose();
        }

        return Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Operations;
    }

    /// <summary>All are told that the buffer may move; nanoseconds for each of them.</summary>
    internal double Notify()
    {
        int rounds = Math.Max(1, LeastTold / attachments.Length);
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        long begin = Stopwatch.GetTimestamp();
        for (int round = 0; round < rounds; round++)
        {
            handle.Buffer.NotifyMove(held, MoveNotice.MayMove);
        }

        return Stopwatch.GetElapsedTime(begin).TotalNanoseconds / ((double)rounds * attachments.Length);
    }

    private BufferAttachment Attach(IBufferImporter? by)
    {
        BufferAttachment.TryAttach(handle, device, by, out BufferAttachment? attached).ThrowIfError();
        return attached!;
    }

    private sealed class Importer : IBufferImporter
    {
        public bool AllowsPeerToPeer => true;

        public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice)
        {
        }
    }
}
