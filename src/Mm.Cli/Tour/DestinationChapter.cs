using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;
using Mm.Devices.Gpus.Vram;

namespace Mm.Cli.Tour;

/// <summary>Who migrates chooses where each page goes, and its device copies: the kernel's allocator and the CPU have no part in it.</summary>
internal static class DestinationChapter
{
    private static readonly PageCount Pages = new(512);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var card = new TourCard(stage);
        VirtRange array = card.Map(Pages);
        byte[] payload = card.MakePayload(Pages);
        stage.Check(card.Process.Write(array.Start, payload) == FaultResult.Done, $"the CPU has filled {array.Length} of RAM");
        ulong given = card.GivenRam;
        card.Svm.TryFault(array.Start, new SvmRequest { RequiresDevice = true }).ThrowIfError();
        ulong hidden = card.Gpu.Memory.CountFree(VramPart.Hidden).Value;
        ulong all = card.Gpu.Memory.Pages.Value - card.Gpu.Memory.VisiblePages.Value;
        stage.Check(
            card.GivenRam == given && all - hidden == card.Gpu.Memory.UsedPages.Value,
            $"a fault of the GPU brought {card.Gpu.Memory.UsedPages} to where its driver chose, behind no BAR; the kernel gave none");
        stage.Check(
            card.Gpu.Copier.Counters.Copied == card.Gpu.Memory.UsedPages,
            $"the GPU's engine copied: {card.Gpu.Copier.Counters}; no CPU reaches the pages, so none copied");
        stage.Check(card.Read(array).AsSpan().SequenceEqual(payload), "the GPU reads the CPU's bytes");
        stage.Say("");
        card.Gpu.EvictProcesses();
        stage.Check(
            card.Gpu.Memory.UsedPages.IsZero && card.CpuRead(array).AsSpan().SequenceEqual(payload),
            "sent back to RAM, the CPU reads them; the GPU's memory is free");
    }
}
