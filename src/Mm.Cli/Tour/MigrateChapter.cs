using Mm.Core;

namespace Mm.Cli.Tour;

/// <summary>Moves a process's array to the GPU, lets the GPU work on it, and takes it back by touching it.</summary>
internal static class MigrateChapter
{
    private static readonly PageCount Pages = new(64);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var gpu = new TourGpu(stage);
        VirtRange array = gpu.MapFilled(Pages, out byte[] payload);
        gpu.Count("the CPU has filled an array:");
        ToGpu(stage, gpu, array, payload);
        BackByTouch(stage, gpu, array, payload);
    }

    private static void ToGpu(TourStage stage, TourGpu gpu, VirtRange array, byte[] payload)
    {
        gpu.Mirror.TryMigrateToDevice(array, out PageCount moved).ThrowIfError();
        gpu.Count("it has moved to the GPU:");
        stage.Check(
            moved == Pages && gpu.Device.UsedPages == Pages && gpu.Device.Engine.Counters.Copied == Pages,
            $"{Pages} moved, each by one copy of the GPU's engine");
        bool isSame = gpu.Read(array, out int faults).AsSpan().SequenceEqual(payload);
        stage.Check(isSame && faults == 0, "the GPU reads the CPU's bytes without a fault");
        for (int at = 0; at < payload.Length; at++)
        {
            payload[at] ^= 0xff;
        }

        stage.Check(gpu.Write(array, payload) == 0, "the GPU inverts every byte where it lies, without a fault");
    }

    private static void BackByTouch(TourStage stage, TourGpu gpu, VirtRange array, byte[] payload)
    {
        stage.Say("");
        int page = (int)PageSize.Small.Bytes.Value;
        var first = new VirtRange(array.Start, PageSize.Small.Bytes);
        bool isSame = gpu.CpuRead(first).AsSpan().SequenceEqual(payload.AsSpan(0, page));
        gpu.Count("the CPU has touched one page:");
        stage.Check(
            isSame && gpu.Device.UsedPages.Value == Pages.Value - 1, "that page has come back with the GPU's bytes, and no other");
        isSame = gpu.CpuRead(array).AsSpan().SequenceEqual(payload);
        gpu.Count("the CPU has touched them all:");
        stage.Check(
            isSame && gpu.Device.UsedPages.IsZero && gpu.Device.Engine.Counters.Copied.Value == 2 * Pages.Value,
            $"all {array.Length} are the GPU's; each page was copied twice, there and back");
        ulong jobs = gpu.Device.Engine.Counters.Jobs;
        stage.Check(jobs == 1 + Pages.Value, $"{jobs} jobs: one for all {Pages} on the way there, one a fault of the CPU on the way back");
        isSame = gpu.Read(array, out int faults).AsSpan().SequenceEqual(payload);
        gpu.Count("the GPU has read it again:");
        stage.Check(
            isSame && faults == 1 && gpu.Device.UsedPages.IsZero,
            "the GPU lost its mappings, faults once for the range, and reads RAM: no page moved");
    }
}
