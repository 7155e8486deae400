using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Gpus;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.DmaBuf;
using Mm.DmaBuf.Reservations;
using Mm.Hmm.Copying;

namespace Mm.Cli.Tour;

/// <summary>The first GPU of the stage as a model device with a driver: more memory than its BAR shows, and a process that opened it.</summary>
internal sealed class TourCard : IDisposable
{
    private VirtAddr nextPlace = new(0x4000_0000);

    /// <summary>Starts the GPU and the process.</summary>
    /// <param name="stage">The stage.</param>
    public TourCard(TourStage stage)
    {
        Stage = stage;
        Buffers = new BufferSystem(stage.Machine);
        var options = new GpuOptions
        {
            Memory = ByteCount.FromMiB(64),
            Visible = ByteCount.FromMiB(16),
            MemoryBar = TourStage.LargestBar(stage.Gpu),
            Drive = CopyEngineDrive.Stepped, // it works while somebody waits for it: the tour says the same each time
        };
        Gpu.TryCreate(stage.Pci, Buffers, stage.Gpu.Place, options, out Gpu? gpu).ThrowIfError();
        Gpu = gpu!;
        stage.Machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        Process = process!;
        Gpu.TryOpen(Process, new SvmOptions(), out GpuSvm? svm).ThrowIfError();
        Svm = svm!;
        stage.Say($"{Gpu}.");
    }

    /// <summary>The stage.</summary>
    public TourStage Stage { get; }

    /// <summary>The machine's shared buffers.</summary>
    public BufferSystem Buffers { get; }

    /// <summary>The GPU.</summary>
    public Gpu Gpu { get; }

    /// <summary>The memory of the process.</summary>
    public AddressSpace Process { get; }

    /// <summary>The same memory, shared with the GPU.</summary>
    public GpuSvm Svm { get; }

    /// <summary>Pages of RAM that the kernel has given, ever.</summary>
    public ulong GivenRam => Stage.Machine.Allocator.Statistics.Taken.Value;

    /// <summary>Maps memory of a kind.</summary>
    /// <param name="pages">How many pages.</param>
    /// <param name="kind">What kind.</param>
    /// <param name="backing">The file behind it; <see langword="null"/> for none.</param>
    public VirtRange Map(PageCount pages, AreaKind kind = AreaKind.AnonymousPrivate, MemoryFile? backing = null)
    {
        var traits = new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = backing };
        var request = new AreaRequest(pages.ToBytes(), traits) { At = nextPlace }; // where large chunks fit
        nextPlace = nextPlace.AddChecked(ByteCount.FromMiB(64));
        Process.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    /// <summary>Random bytes, the same each time.</summary>
    /// <param name="pages">How many pages.</param>
    public byte[] MakePayload(PageCount pages)
    {
        byte[] payload = new byte[pages.ToBytes().Value];
        Stage.Machine.CreateRandom("tour card").Fill(payload);
        return payload;
    }

    /// <summary>The GPU reads memory of the process.</summary>
    /// <param name="range">What.</param>
    public byte[] Read(VirtRange range)
    {
        byte[] bytes = new byte[range.Length.Value];
        Svm.TryRead(range.Start, bytes).ThrowIfError();
        return bytes;
    }

    /// <summary>The CPU reads memory of the process.</summary>
    /// <param name="range">What.</param>
    public byte[] CpuRead(VirtRange range)
    {
        byte[] bytes = new byte[range.Length.Value];
        return Process.Read(range.Start, bytes) == FaultResult.Done ? bytes : [];
    }

    /// <summary>A buffer of the GPU, where a NIC can write.</summary>
    /// <param name="pages">How many pages.</param>
    public GpuObject CreateBuffer(PageCount pages)
    {
        var request = new GpuObjectRequest(pages.ToBytes()) { Allowed = GpuPlaces.Vram, Preferred = GpuPlaces.VisibleVram };
        Gpu.TryCreateObject(request, out GpuObject? made).ThrowIfError();
        return made!;
    }

    /// <summary>The GPU reads a buffer of its own.</summary>
    /// <param name="buffer">The buffer.</param>
    public static byte[] Read(GpuObject buffer)
    {
        buffer.TryBeginWork(SyncAccess.Read, out GpuWork? work).ThrowIfError();
        using (work)
        {
            byte[] bytes = new byte[buffer.Size.Value];
            work!.TryRead(ByteCount.Zero, bytes).ThrowIfError();
            return bytes;
        }
    }

    /// <summary>The process ends, the GPU goes, and nothing is left.</summary>
    public void Dispose()
    {
        Svm.Dispose();
        Process.Dispose();
        Gpu.Validate();
        Gpu.Dispose();
        Stage.Check(Gpu.Memory.UsedPages.IsZero, "the process has ended, the GPU is gone, and no page of it is held");
    }
}
