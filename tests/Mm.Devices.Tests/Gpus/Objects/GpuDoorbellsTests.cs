using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Tests.Gpus.Objects;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class GpuDoorbellsTests : IDisposable
{
    private readonly GpuRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Doorbell_RungByANic_IsHeardByTheGpu()
    {
        using GpuDoorbell bell = Give();
        using BufferHandle handle = bell.Share();
        using BufferAttachment nic = GpuRig.Attach(handle, rig.Near, new TellingImporter());
        GpuRig.Write(nic, 0, BitConverter.GetBytes(42UL));
        Assert.That((bell.TryReadValue(out ulong value), value), Is.EqualTo((Errno.Ok, 42UL)));
        Assert.That($"{bell}", Does.StartWith("doorbell 0 at "));
    }

    [Test]
    public void Doorbell_IsPinnedForNobody()
    {
        using GpuDoorbell bell = Give();
        using BufferHandle handle = bell.Share();
        Assert.That(
            BufferAttachment.TryAttach(handle, rig.Near, importer: null, out _), Is.EqualTo(Errno.EOPNOTSUPP), "a static importer needs a pin");
        using BufferAttachment nic = GpuRig.Attach(handle, rig.Near, new TellingImporter());
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        Assert.That(nic.TryPin(held, out _), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(rig.Ledger().Any(static entry => entry.Kind == HoldingKind.Pin), Is.False);
    }

    [Test]
    public void Doorbells_AreGivenOnceAndTakenBack()
    {
        using GpuDoorbell first = Give();
        GpuDoorbell second = Give();
        Assert.That((first.Page.Value, second.Page.Value, rig.Gpu.Doorbells.Count), Is.EqualTo((0UL, 1UL, 2)));
        using BufferHandle handle = second.Share();
        using BufferAttachment nic = GpuRig.Attach(handle, rig.Near, new TellingImporter());
        using BufferMapping mapping = GpuRig.Map(nic);
        DmaAddr address = mapping.Segments[0].Address;
        second.Dispose();
        Assert.That(rig.Near.Port.TryWrite(address, [1], out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(second.TryReadValue(out _), Is.EqualTo(Errno.ENODEV));
        using GpuDoorbell third = Give();
        Assert.That(third.Page, Is.EqualTo(second.Page));
    }

    [Test]
    public void Reset_TakesADoorbellUntilItIsRestored()
    {
        using GpuDoorbell bell = Give();
        using BufferHandle handle = bell.Share();
        var importer = new TellingImporter();
        using BufferAttachment nic = GpuRig.Attach(handle, rig.Near, importer);
        using BufferMapping mapping = GpuRig.Map(nic);
        var work = new DmaFence(rig.System.Contexts, rig.System.Contexts.Next(), seqno: 1);
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(work, FenceUsage.Bookkeep);
        }

        Assert.That(bell.TryRestore(), Is.EqualTo(Errno.Ok), "nothing took it");
        rig.Gpu.Reset();
        Assert.That(nic.TryMap(DmaDirection.ToDevice, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(bell.TryRestore(), Is.EqualTo(Errno.EBUSY), "the NIC is still writing");
        work.Signal().ThrowIfError();
        Assert.That((bell.TryRestore(), mapping.IsValid), Is.EqualTo((Errno.Ok, false)));
        Assert.That(importer.Notices, Is.EqualTo((MoveNotice[])[MoveNotice.Revoked, MoveNotice.Restored]));
        GpuRig.Write(nic, 0, [7]);
    }

    [Test]
    public void Give_OutOfPagesOrMemory_IsRefused()
    {
        var given = new List<GpuDoorbell>();
        while (rig.Gpu.Doorbells.TryGive(out GpuDoorbell? bell).IsOk)
        {
            given.Add(bell!);
        }

        Assert.That((given.Count, rig.Gpu.Doorbells.TryGive(out _)), Is.EqualTo((4096, Errno.ENOSPC)), "16 MiB of pages");
        given[^1].Dispose();
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(rig.Gpu.Doorbells.TryGive(out _), Is.EqualTo(Errno.ENOMEM));
        rig.Machine.Faults.Clear();
        given[^1] = Give();
        rig.Gpu.Remove();
        Assert.That(rig.Gpu.Doorbells.TryGive(out _), Is.EqualTo(Errno.ENODEV));
        given.ForEach(static bell => bell.Dispose());
    }

    private GpuDoorbell Give()
    {
        rig.Gpu.Doorbells.TryGive(out GpuDoorbell? bell).ThrowIfError();
        return bell!;
    }
}
