using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices.Gpus;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Gpus;

internal sealed class GpuTests
{
    [Test]
    public void Start_Refused_LeavesTheFunctionToOthers()
    {
        using var rig = new GpuRig();
        PciPlace second = PciAddress.Parse("0000:07:00.0");
        GpuOptions options = rig.Options with { Name = "gpu1" };
        Assert.That(Start(rig, PciAddress.Parse("0000:99:00.0"), options), Is.EqualTo(Errno.ENODEV));
        Assert.That(Start(rig, second, options with { Memory = ByteCount.FromKiB(4) }), Is.EqualTo(Errno.EINVAL));
        Assert.That(Start(rig, second, options with { MemoryBar = 5 }), Is.EqualTo(Errno.EINVAL));
        Assert.That(Start(rig, second, options with { DoorbellBar = 1 }), Is.EqualTo(Errno.EINVAL));
        Assert.That(Start(rig, second, options with { Memory = new ByteCount(1UL << 52) }), Is.EqualTo(Errno.ERANGE));
        Assert.That(Start(rig, GpuRig.Place, options), Is.EqualTo(Errno.EBUSY));
        Gpu.TryCreate(rig.Pci, rig.System, second, options, out Gpu? gpu).ThrowIfError();
        gpu!.Dispose();
    }

    [Test]
    public void Memory_IsLargerThanItsBar()
    {
        using var rig = new GpuRig();
        Assert.That(rig.Gpu.Memory.VisiblePages, Is.LessThan(rig.Gpu.Memory.Pages));
        Assert.That($"{rig.Gpu}", Is.EqualTo("gpu0: 4 MiB of memory, 1 MiB behind BAR 1"));
        Assert.That((rig.Gpu.State, rig.Gpu.Dma.Id), Is.EqualTo((DeviceState.Working, rig.Gpu.Id)));
    }

    [Test]
    public void Reset_EndsWorkAndAddresses_AndKeepsTheBytes()
    {
        using var rig = new GpuRig();
        using GpuObject shared = rig.Create(2, GpuPlaces.VisibleVram);
        byte[] bytes = GpuRig.Bytes(2 * GpuRig.Page, 8);
        GpuRig.Write(shared, 0, bytes);
        using BufferHandle handle = GpuRig.Export(shared);
        var importer = new TellingImporter();
        using BufferAttachment near = GpuRig.Attach(handle, rig.Near, importer);
        using BufferMapping mapping = GpuRig.Map(near);
        shared.TryBeginWork(SyncAccess.Write, out GpuWork? work).ThrowIfError();

        rig.Gpu.Reset();

        Assert.That(work!.Fence.GetStatus(), Is.EqualTo(FenceStatus.Failed(Errno.ECANCELED)));
        Assert.That(work.TryWrite(ByteCount.Zero, [1]), Is.EqualTo(Errno.ECANCELED));
        Assert.That((mapping.IsValid, importer.Notices), Is.EqualTo((false, new List<MoveNotice> { MoveNotice.Revoked, MoveNotice.Restored })));
        Assert.That(GpuRig.Read(near), Is.EqualTo(bytes));
        work.Dispose();
        GpuRig.Write(shared, 0, [1]);
    }

    [Test]
    public void Remove_WhileInUse_LeavesErrorsAndNoAddress()
    {
        using var rig = new GpuRig();
        using GpuObject shared = rig.Create(2, GpuPlaces.VisibleVram);
        using GpuObject hidden = rig.Create(1);
        using BufferHandle handle = GpuRig.Export(shared);
        using BufferAttachment near = GpuRig.Attach(handle, rig.Near, new TellingImporter());
        using BufferMapping mapping = GpuRig.Map(near);
        DmaAddr address = mapping.Segments[0].Address;
        shared.TryBeginWork(SyncAccess.Read, out GpuWork? work).ThrowIfError();

        rig.Gpu.Remove();
        rig.Gpu.Remove();
        rig.Gpu.Reset();

        Assert.That((rig.Gpu.State, shared.IsGone), Is.EqualTo((DeviceState.Removed, true)));
        Assert.That(work!.TryRead(ByteCount.Zero, new byte[1]), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Near.Port.TryRead(address, new byte[1], out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(near.TryMap(DmaDirection.ToDevice, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(shared.TryExport(out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(shared.TryBeginWork(SyncAccess.Read, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(hidden.TryMoveTo(GpuPlaces.Ram), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Gpu.TryCreateObject(new GpuObjectRequest(new ByteCount(1)), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Gpu.Dma.IsAttached, Is.False);
        Assert.That(rig.Pci.Bars.Count, Is.Zero);
    }

    [Test]
    public void Report_TellsWhoHoldsWhat()
    {
        using var rig = new GpuRig();
        Assert.That(rig.Ledger(), Is.Empty);
        using GpuObject target = rig.Create(3, GpuPlaces.VisibleVram);
        using BufferHandle handle = GpuRig.Export(target);
        using BufferAttachment near = GpuRig.Attach(handle, rig.Near, new TellingImporter());
        target.TryBeginWork(SyncAccess.Read, out GpuWork? work).ThrowIfError();
        rig.Gpu.Doorbells.TryGive(out GpuDoorbell? bell).ThrowIfError();
        string[] lines = [.. rig.Ledger().Select(static entry => $"{entry.Holder}: {entry.Count} {entry.Kind}, {entry.Held}")];
        Assert.That(lines, Is.EqualTo((string[])
        [
            "gpu0 bo 1: 3 Page, VisibleVram",
            "gpu0 bo 1: 1 Fence, bo 1",
            "gpu0 bo 1: 1 Handle, bo 1",
            "gpu0 bo 1: 1 Attachment, dma-buf 1",
            "gpu0 bo 1: 3 Handle, dma-buf 1",
            "gpu0 doorbell 0: 1 Handle, dma-buf 2",
        ]));
        Assert.That(rig.Ledger().TrueForAll(entry => entry.Owner == rig.Gpu.Id), Is.True);
        work!.Dispose();
        bell!.Dispose();
    }

    [Test]
    public void Threads_ThatShareOneSmallGpu_KeepTheirBytes()
    {
        using var rig = new GpuRig(memoryKiB: 2048, visibleKiB: 256, hasOwnThread: true);
        using var allFull = new Barrier(3); // together they hold more than there is, before anybody goes on
        Task.WaitAll([.. Enumerable.Range(1, 3).Select(seed => Start(() => Work(rig, seed, allFull)))]);
        Assert.That(rig.Gpu.Memory.Evictions, Is.Positive, "they were in one another's way");
    }

    [Test]
    public void ResetAndRemove_AtAnyTime_LeaveErrorsAndNothingHeld([Values(1, 2, 3)] int seed)
    {
        using var rig = new GpuRig(memoryKiB: 2048, visibleKiB: 256, hasOwnThread: true);
        using var someDone = new CountdownEvent(6);
        Task[] tasks = [.. Enumerable.Range(1, 2).Select(each => Start(() => WorkUntilRemoved(rig, each, someDone)))];
        for (int reset = 0; reset < seed * 3; reset++)
        {
            rig.Gpu.Reset();
            rig.Gpu.EvictProcesses();
        }

        someDone.Wait();
        rig.Gpu.Remove();
        Task.WaitAll(tasks);
        Assert.That((rig.Ledger().Count, rig.Gpu.Memory.UsedPages.Value, rig.Gpu.Copier.RentedJobs), Is.EqualTo((0, 0UL, 0L)));
    }

    // One program that takes refusals as they come, and checks what it was told is done.
    private static void WorkUntilRemoved(GpuRig rig, int seed, CountdownEvent someDone)
    {
        rig.Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Errno errno = rig.Gpu.TryOpen(space!, new SvmOptions { Chunks = [ByteCount.FromKiB(64), ByteCount.FromKiB(4)] }, out GpuSvm? svm);
        using (space)
        using (svm)
        {
            var traits = new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
            space!.TryMap(new AreaRequest(ByteCount.FromKiB(128), traits) { At = new VirtAddr(0x4000_0000) }, out VirtRange array).ThrowIfError();
            byte[] model = GpuRig.Bytes((int)array.Length.Value, seed);
            Assert.That(space.Write(array.Start, model), Is.EqualTo(FaultResult.Done));
            for (int round = 0; errno != Errno.ENODEV; round++)
            {
                errno = svm!.TryFault(array.Start, new SvmRequest { WantsDevice = true });
                byte[] seen = new byte[model.Length];
                Assert.That(space.Read(array.Start, seen), Is.EqualTo(FaultResult.Done));
                Assert.That(seen.AsSpan().SequenceEqual(model), Is.True, $"{seed} {round}");
                UseBuffer(rig, seed, round);
                if (round < 3)
                {
                    _ = someDone.Signal();
                }
            }
        }
    }

    private static void UseBuffer(GpuRig rig, int seed, int round)
    {
        var request = new GpuObjectRequest(ByteCount.FromKiB(64));
        if (!rig.Gpu.TryCreateObject(request, out GpuObject? buffer).IsOk)
        {
            return;
        }

        using (buffer)
        {
            if (buffer!.TryBeginWork(SyncAccess.Read | SyncAccess.Write, out GpuWork? work).IsOk)
            {
                using (work)
                {
                    byte[] bytes = GpuRig.Bytes(9000, seed + round);
                    byte[] seen = new byte[9000];
                    bool isThere = work!.TryWrite(ByteCount.Zero, bytes).IsOk && work.TryRead(ByteCount.Zero, seen).IsOk;
                    Assert.That(!isThere || seen.AsSpan().SequenceEqual(bytes), Is.True);
                }
            }

            _ = buffer.TryMoveTo(GpuPlaces.Ram);
        }
    }

    // One program: an array that CPU and GPU write in turn, and a buffer that moves. 1.25 MiB of 2 for each of three.
    private static void Work(GpuRig rig, int seed, Barrier allFull)
    {
        rig.Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        var options = new SvmOptions { Chunks = [ByteCount.FromKiB(64), ByteCount.FromKiB(4)] };
        rig.Gpu.TryOpen(space!, options, out GpuSvm? svm).ThrowIfError();
        using (space)
        using (svm)
        using (GpuObject buffer = rig.Create(64))
        {
            svm!.Policy = new SvmRequest { WantsDevice = true };
            var traits = new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
            var request = new AreaRequest(ByteCount.FromMiB(1), traits) { At = new VirtAddr(0x4000_0000) };
            space!.TryMap(request, out VirtRange array).ThrowIfError();
            byte[] model = GpuRig.Bytes((int)array.Length.Value, seed);
            svm.TryWrite(array.Start, model).ThrowIfError();
            allFull.SignalAndWait();
            for (int round = 0; round < 12; round++)
            {
                int at = round * 77_777 % (model.Length - 5000);
                byte[] next = GpuRig.Bytes(5000, (seed * 100) + round);
                next.CopyTo(model, at);
                var place = new VirtAddr(array.Start.Value + (ulong)at);
                if (round % 2 == 0)
                {
                    Assert.That(space.Write(place, next), Is.EqualTo(FaultResult.Done));
                }
                else
                {
                    svm.TryWrite(place, next).ThrowIfError();
                }

                GpuRig.Write(buffer, 4096, next);
                Errno moved = buffer.TryMoveTo(round % 3 == 0 ? GpuPlaces.Ram : GpuPlaces.HiddenVram);
                Assert.That(moved == Errno.Ok || moved == Errno.ENOMEM, Is.True, $"{moved}");
                Assert.That(GpuRig.Read(buffer).AsSpan(4096, 5000).SequenceEqual(next), Is.True);
                byte[] seen = new byte[model.Length];
                svm.TryRead(array.Start, seen).ThrowIfError();
                Assert.That(seen.AsSpan().SequenceEqual(model), Is.True, $"{seed} {round}");
            }
        }
    }

    private static Task Start(Action work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static Errno Start(GpuRig rig, PciPlace place, GpuOptions options) =>
        Gpu.TryCreate(rig.Pci, rig.System, place, options, out _);
}
