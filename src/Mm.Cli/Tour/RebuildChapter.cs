using Mm.Core;
using Mm.Devices.Rdma;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma.Providers;

namespace Mm.Cli.Tour;

/// <summary>Tells a NIC a thousand times that memory may move: its table is made anew only when it did.</summary>
internal static class RebuildChapter
{
    private static readonly PageCount Pages = new(4);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        var system = new BufferSystem(stage.Machine);
        BarProvider memory = stage.ProvideGpuMemory();
        using var rdma = new TourRdma(stage, Pages, isStepped: false);
        MovingBuffer.TryExport(
            system.Buffers, stage.Pci.Owners, memory, [memory.Aperture.Slice(ByteCount.Zero, Pages.ToBytes())],
            out MovingBuffer? vram, out BufferHandle? handle).ThrowIfError();
        rdma.Domain.TryRegisterBuffer(
            handle!, ByteCount.Zero, Pages.ToBytes(), VirtAddr.Zero, TourRdma.Access, RegionContract.Buffer,
            out MemoryRegion? region).ThrowIfError();
        Write(rdma, region!, 1);
        stage.Check(region!.TableLoads == 1, "used for the first time, the region's table is made");
        for (int notice = 0; notice < 1000; notice++)
        {
            using (ReservationLock held = handle!.Buffer.Reservation.Lock())
            {
                handle.Buffer.NotifyMove(held, MoveNotice.MayMove);
            }

            Write(rdma, region, (byte)(notice % 251));
        }

        stage.Check(region.TableLoads == 1, "1000 notices without a move, used after each: 0 tables");
        vram!.TryMoveToDevice([memory.Aperture.Slice(ByteCount.FromMiB(8), Pages.ToBytes())]).ThrowIfError();
        Write(rdma, region, 9);
        Write(rdma, region, 10);
        stage.Check(region.TableLoads == 2, "1 move: exactly 1 table");
        region.Dispose();
        handle!.Dispose();
    }

    private static void Write(TourRdma rdma, MemoryRegion region, byte value)
    {
        rdma.Fill(value);
        rdma.Post(region);
        if (rdma.Finish() != WorkStatus.Success)
        {
            throw new InvalidOperationException($"a write to {region} failed");
        }
    }
}
