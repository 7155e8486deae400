using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;

namespace Mm.Cli.Tour;

/// <summary>A process and a GPU that mirrors its memory: private memory of its own, and a copy engine that completes by fence.</summary>
internal sealed class TourGpu : IDisposable
{
    private const ulong MemoryMiB = 32;

    /// <summary>Starts the process, and lets it open the GPU.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="node">The node of the GPU's memory; null: that of the first socket.</param>
    public TourGpu(TourStage stage, NodeId? node = null)
    {
        Stage = stage;
        MirrorDevice.TryCreatePrivate(
            stage.Machine, "gpu", ByteCount.FromMiB(MemoryMiB), out MirrorDevice? device, MakeEngine, node).ThrowIfError();
        Device = device!;
        stage.Machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        Process = process!;
        Device.TryOpen(Process, out DeviceMirror? mirror).ThrowIfError();
        Mirror = mirror!;
        stage.Say($"A GPU with {ByteCount.FromMiB(MemoryMiB)} that no CPU can address; a process opens it, and its memory is mirrored.");
    }

    /// <summary>The stage.</summary>
    public TourStage Stage { get; }

    /// <summary>The GPU.</summary>
    public MirrorDevice Device { get; }

    /// <summary>The memory of the process.</summary>
    public AddressSpace Process { get; }

    /// <summary>The same memory as the GPU sees it.</summary>
    public DeviceMirror Mirror { get; }

    /// <summary>Pages of RAM in use.</summary>
    public PageCount UsedRam => Stage.Machine.Allocator.Statistics.InUse;

    /// <summary>Maps anonymous memory, and touches nothing.</summary>
    /// <param name="pages">How many pages.</param>
    public VirtRange Map(PageCount pages)
    {
        var request = new AreaRequest(pages.ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
        Process.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    /// <summary>Maps memory that the CPU fills with random bytes.</summary>
    /// <param name="pages">How many pages.</param>
    /// <param name="payload">The bytes.</param>
    public VirtRange MapFilled(PageCount pages, out byte[] payload)
    {
        VirtRange array = Map(pages);
        payload = new byte[array.Length.Value];
        Stage.Machine.CreateRandom("tour array").Fill(payload);
        RequireDone(Process.Write(array.Start, payload));
        return array;
    }

    /// <summary>The CPU reads.</summary>
    /// <param name="range">What.</param>
    public byte[] CpuRead(VirtRange range)
    {
        byte[] bytes = new byte[range.Length.Value];
        RequireDone(Process.Read(range.Start, bytes));
        return bytes;
    }

    /// <summary>The GPU reads, faulting as it must.</summary>
    /// <param name="range">What.</param>
    /// <param name="faults">How many faults it took.</param>
    public byte[] Read(VirtRange range, out int faults)
    {
        byte[] bytes = new byte[range.Length.Value];
        Mirror.TryRead(range, bytes, out MirrorTransfer done).ThrowIfError();
        faults = done.Faults;
        return bytes;
    }

    /// <summary>The GPU writes, faulting as it must.</summary>
    /// <param name="range">Where.</param>
    /// <param name="bytes">What.</param>
    /// <returns>How many faults it took.</returns>
    public int Write(VirtRange range, byte[] bytes)
    {
        Mirror.TryWrite(range, bytes, out MirrorTransfer done).ThrowIfError();
        return done.Faults;
    }

    /// <summary>Says where things are.</summary>
    /// <param name="when">After what.</param>
    public void Count(string when) => Stage.Say(
        $"  {when,-36}{Device.UsedPages.Value,4} on the GPU, {Process.CountResident(RssKind.Anonymous).Value,4} in all; "
        + $"{Device.Engine.Counters}");

    /// <summary>The process ends, the GPU goes, and nothing is left.</summary>
    public void Dispose()
    {
        Process.Dispose();
        Mirror.Dispose();
        Stage.Check(Device.UsedPages == PageCount.Zero, "the process has ended, and the GPU's memory is free again");
        Device.Dispose();
    }

    private static void RequireDone(FaultResult result)
    {
        if (result != FaultResult.Done)
        {
            throw new InvalidOperationException($"the process got a signal: {result}");
        }
    }

    // Stepped: it works while somebody waits for it, so that the tour says the same each time.
    private DeviceCopyEngine MakeEngine(IPageBytes bytes) =>
        new("gpu-copy", bytes, Stage.Machine.Faults, CopyEngineDrive.Stepped);
}
