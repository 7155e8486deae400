using Mm.Devices.Rdma;
using Mm.Devices.Tests.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S2, no needless rebuild: "there is no sense to rebuild and program s/g tables each time if location of memory was
/// not changed".</summary>
[Category("Seeds")]
internal sealed class NoNeedlessRebuildTests
{
    [Test]
    public void AThousandNoticesWithoutAMove_CostNoTableAndAMoveCostsOne([Values] bool isTranslated)
    {
        using var rig = new RdmaRig(isTranslated: isTranslated);
        using BufferHandle handle = rig.Moving(out MovingBuffer vram);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Across, handle, RegionContract.Buffer);
        var backing = (BufferBacking)region.Backing;
        MemoryRegion local = rig.Near.Register(rig.Near.Map(4, 1));
        Write(rig, local, region, 1);
        Assert.That((region.TableLoads, backing.Attachment.Rebuilds), Is.EqualTo((1L, 1L)));

        for (int notice = 0; notice < 1000; notice++)
        {
            using (ReservationLock held = handle.Buffer.Reservation.Lock())
            {
                handle.Buffer.NotifyMove(held, MoveNotice.MayMove);
            }

            if (notice % 100 == 0)
            {
                Write(rig, local, region, (byte)(2 + (notice / 100)));
                Assert.That(rig.ReadVram(0, 4).AsSpan().ContainsAnyExcept((byte)(2 + (notice / 100))), Is.False);
            }
        }

        Assert.That(backing.Attachment.Notifications, Is.EqualTo(1000));
        Assert.That((region.TableLoads, backing.Attachment.Rebuilds), Is.EqualTo((1L, 1L)), "0 rebuilds");

        vram.TryMoveToDevice([rig.VramPart(100, 4)]).ThrowIfError();
        Write(rig, local, region, 50);
        Write(rig, local, region, 51);
        Assert.That((region.TableLoads, backing.Attachment.Rebuilds), Is.EqualTo((2L, 2L)), "exactly 1");
        Assert.That(rig.ReadVram(100, 4).AsSpan().ContainsAnyExcept((byte)51), Is.False);
        region.Dispose();
    }

    private static void Write(RdmaRig rig, MemoryRegion local, MemoryRegion remote, byte value)
    {
        rig.Near.Write(local.Range, value);
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote), Is.EqualTo(WorkStatus.Success));
    }
}
