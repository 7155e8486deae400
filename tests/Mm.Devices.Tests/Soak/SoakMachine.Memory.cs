using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Devices.Gpus;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.Devices.Rdma;
using Mm.Devices.Tests.Gpus;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Soak;

/// <content>Processes that share their memory with the GPU, and buffers of the GPU.</content>
internal sealed partial class SoakMachine
{
    private const int ArrayPages = 48;
    private readonly List<SoakProcess> processes = [];
    private readonly List<(GpuObject Object, byte[] Model)> objects = [];
    private Gpu gpu = null!;

    private void StartProcesses()
    {
        for (int index = 0; index < 2; index++)
        {
            Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
            var request = new AreaRequest(
                new PageCount(ArrayPages).ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
            space!.TryMap(request, out VirtRange array).ThrowIfError();
            processes.Add(new SoakProcess(space, array, new byte[ArrayPages * Page]));
        }

        Share();
    }

    private void Share()
    {
        foreach (SoakProcess process in processes)
        {
            var options = new SvmOptions { Chunks = [ByteCount.FromKiB(64), ByteCount.FromKiB(4)] };
            gpu.TryOpen(process.Space, options, out GpuSvm? svm).ThrowIfError();
            process.Svm = svm;
        }
    }

    private void StopProcesses() => processes.ForEach(static process => process.Space.Dispose());

    private void StopGpu()
    {
        BufferHandle? handle = objects.Count > 0 ? GpuRig.Export(objects[0].Object) : null;
        BufferAttachment? attachment = handle is null || isEnding ? null : GpuRig.Attach(handle, near.Nic.View, new TellingImporter());
        BufferMapping? mapping = null;
        _ = attachment?.TryMap(DmaDirection.Bidirectional, out mapping);
        DmaAddr? stale = mapping is not null && objects[0].Object.Place == GpuPlaces.VisibleVram ? mapping.Segments[0].Address : null;
        gpu.Remove();
        if (control is not null && !isEnding)
        {
            Receive(1);
            Assert.That(control, Is.Null, "nothing lands in the memory of a GPU that is gone");
        }

        Assert.That(stale is null || near.Nic.View.Port.TryRead(stale.Value, new byte[8], out _) == Errno.EFAULT, Is.True, "a stale address");
        Assert.That(attachment is null || attachment.TryMap(DmaDirection.Bidirectional, out _) == Errno.ENODEV, Is.True, "a buffer that is gone");
        mapping?.Dispose();
        attachment?.Dispose();
        handle?.Dispose();
        UseRegionsOfObjectsThatAreGone();
        foreach ((GpuObject each, _) in objects)
        {
            Assert.That(each.TryMoveTo(GpuPlaces.Ram), Is.EqualTo(Errno.ENODEV), "an object of a GPU that is gone");
            each.Dispose();
        }

        objects.Clear();
        processes.ForEach(static process => process.Svm!.Dispose());
        Assert.That(gpu.Memory.UsedPages, Is.EqualTo(PageCount.Zero), "a page of the GPU's memory is left");
        Assert.That(gpu.TryCreateObject(new GpuObjectRequest(new ByteCount(Page)), out _), Is.EqualTo(Errno.ENODEV));
    }

    private void UseRegionsOfObjectsThatAreGone()
    {
        foreach (SoakRegion each in regions.FindAll(static each => each.Region.Contract >= RegionContract.Buffer))
        {
            RunWork(each, WorkOpcode.Read, 8, 1, isGone: true);
            each.Region.Dispose();
            _ = regions.Remove(each);
        }
    }

    private SoakProcess AnyProcess() => processes[Below(processes.Count)];

    // A piece of an array that lies in one page.
    private (int Offset, byte[] Bytes) Piece(int pages)
    {
        int inPage = Below(Page);
        return ((Below(pages) * Page) + inPage, Bytes(1 + Below(Page - inPage)));
    }

    private void WriteByCpu()
    {
        SoakProcess process = AnyProcess();
        (int offset, byte[] bytes) = Piece(ArrayPages);
        Assert.That(process.Space.Write(process.At(offset), bytes), Is.EqualTo(FaultResult.Done));
        bytes.CopyTo(process.Model, offset);
    }

    private void WriteByGpu()
    {
        SoakProcess process = AnyProcess();
        process.Svm!.Policy = new SvmRequest { WantsDevice = random.OneIn(2), AllowsMixed = random.OneIn(3) };
        (int offset, byte[] bytes) = Piece(ArrayPages);
        process.Svm.TryWrite(process.At(offset), bytes).ThrowIfError();
        bytes.CopyTo(process.Model, offset);
        Note("written by the GPU");
    }

    private void CheckProcess() => Check(AnyProcess());

    private void Check(SoakProcess process)
    {
        byte[] seen = new byte[process.Model.Length];
        if (random.OneIn(2))
        {
            process.Svm!.TryRead(process.Array.Start, seen).ThrowIfError();
            Assert.That(seen.AsSpan().SequenceEqual(process.Model), Is.True, "what the GPU sees of a process");
        }

        Assert.That(process.Space.Read(process.Array.Start, seen), Is.EqualTo(FaultResult.Done));
        Assert.That(seen.AsSpan().SequenceEqual(process.Model), Is.True, "what a CPU sees of a process");
    }

    private void Fork()
    {
        SoakProcess process = AnyProcess();
        byte[] atFork = [.. process.Model];
        process.Space.TryFork(out AddressSpace? child).ThrowIfError();
        using (child)
        {
            WriteByCpu();
            WriteByGpu();
            (int offset, byte[] bytes) = Piece(ArrayPages);
            Assert.That(child!.Write(process.At(offset), bytes), Is.EqualTo(FaultResult.Done));
            bytes.CopyTo(atFork, offset);
            byte[] seen = new byte[atFork.Length];
            Assert.That(child.Read(process.Array.Start, seen), Is.EqualTo(FaultResult.Done));
            Assert.That(seen.AsSpan().SequenceEqual(atFork), Is.True, "what a child has since the fork");
            Check(process);
        }
    }

    private void Evict() => gpu.EvictProcesses();

    private void CreateObject()
    {
        int pages = 1 + Below(12);
        if (objects.Count < 12)
        {
            var request = new GpuObjectRequest(new PageCount((ulong)pages).ToBytes())
            {
                Preferred = random.OneIn(2) ? GpuPlaces.VisibleVram : GpuPlaces.Vram,
            };
            gpu.TryCreateObject(request, out GpuObject? made).ThrowIfError();
            objects.Add((made!, new byte[pages * Page]));
        }
    }

    private void WriteObject()
    {
        if (objects.Count > 0)
        {
            (GpuObject target, byte[] model) = objects[Below(objects.Count)];
            (int offset, byte[] bytes) = Piece(model.Length / Page);
            GpuRig.Write(target, offset, bytes);
            bytes.CopyTo(model, offset);
        }
    }

    private void MoveObject()
    {
        if (objects.Count > 0)
        {
            (GpuObject Object, byte[] Model) moved = objects[Below(objects.Count)];
            Errno errno = moved.Object.TryMoveTo((GpuPlaces)(1 << Below(3)));
            Note($"moved: {errno}");
            Assert.That(errno == Errno.Ok || errno == Errno.ENOMEM || errno == Errno.EBUSY, Is.True, $"{errno}");
            Check(moved);
        }
    }

    // The first RDMA NIC imports a buffer as a plain device would: it follows moves, and writes by bus address.
    private void ImportObject()
    {
        if (objects.Count == 0)
        {
            return;
        }

        (GpuObject target, byte[] model) = objects[Below(objects.Count)];
        using BufferHandle handle = GpuRig.Export(target);
        using BufferAttachment attachment = GpuRig.Attach(handle, near.Nic.View, new TellingImporter());
        Errno errno = attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping);
        Note($"imported: {errno}");
        using (mapping)
        {
            if (errno.IsOk)
            {
                (int offset, byte[] bytes) = Piece(model.Length / Page);
                GpuRig.Write(attachment, offset, bytes);
                bytes.CopyTo(model, offset);
                DmaAddr stale = mapping!.Segments[0].Address;
                Assert.That(near.Nic.View.Port.TryRead(stale, new byte[8], out _), Is.EqualTo(Errno.Ok));
            }
        }

        Check((target, model));
    }

    private void CloseObject()
    {
        if (objects.Count > 0)
        {
            int index = Below(objects.Count);
            Check(objects[index]);
            DeregisterAll();
            objects[index].Object.Dispose();
            objects.RemoveAt(index);
        }
    }

    private void Check((GpuObject Object, byte[] Model) checkedOne) =>
        Assert.That(GpuRig.Read(checkedOne.Object).AsSpan().SequenceEqual(checkedOne.Model), Is.True, $"{checkedOne.Object}");

    // Much of both memories goes and comes back, and others have to leave.
    private void Press()
    {
        Errno errno = gpu.TryCreateObject(new GpuObjectRequest(ByteCount.FromMiB(3)) { Allowed = GpuPlaces.Vram }, out GpuObject? greedy);
        var blocks = new List<PageBlock>();
        while (blocks.Count < 12 && Machine.Allocator.TryAllocateBlock(AllocationRequest.Kernel with { Order = 10 }, out PageBlock block).IsOk)
        {
            blocks.Add(block);
        }

        Note($"pressed: {errno}, {blocks.Count}");
        objects.ForEach(Check);
        CheckProcess();
        blocks.ForEach(static block => block.Dispose());
        greedy?.Dispose();
    }
}
