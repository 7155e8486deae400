using Mm.Core;

namespace Mm.Cli.Tour;

/// <summary>Lets the GPU be the first to touch memory: it is allocated where it is used.</summary>
internal static class TouchChapter
{
    private static readonly PageCount Pages = new(64);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var gpu = new TourGpu(stage);
        VirtRange array = gpu.Map(Pages);
        PageCount before = gpu.UsedRam;
        gpu.Count("memory is mapped, nobody was there:");
        gpu.Mirror.TryMigrateToDevice(array, out PageCount moved).ThrowIfError();
        gpu.Count("the GPU asks for it:");
        stage.Check(
            moved == Pages && gpu.Device.UsedPages == Pages && gpu.UsedRam == before,
            $"{Pages} were allocated on the GPU, and not one in RAM");
        stage.Check(
            gpu.Device.Engine.Counters.Copied.IsZero && gpu.Device.Engine.Counters.Cleared == Pages,
            "nothing was copied: holes are cleared at their destination");
        stage.Check(
            !gpu.Read(array, out int faults).AsSpan().ContainsAnyExcept((byte)0) && faults == 0, "the GPU reads zeros, without a fault");

        byte[] payload = new byte[array.Length.Value];
        stage.Machine.CreateRandom("tour touch").Fill(payload);
        stage.Check(gpu.Write(array, payload) == 0, "the GPU fills it, without a fault");
        bool isSame = gpu.CpuRead(array).AsSpan().SequenceEqual(payload);
        gpu.Count("the CPU has read it:");
        stage.Check(
            isSame && gpu.UsedRam.Value == before.Value + Pages.Value,
            "RAM is taken only now that the CPU wants the bytes, and they are the GPU's");

        stage.Say("");
        VirtRange other = gpu.Map(Pages);
        faults = gpu.Write(other, payload);
        gpu.Count("the GPU wrote elsewhere by faults:");
        stage.Check(
            faults == 1 && gpu.Device.UsedPages.IsZero && gpu.UsedRam.Value == before.Value + (2 * Pages.Value),
            "a plain fault of the GPU is served as the CPU's would be: in RAM");
    }
}
