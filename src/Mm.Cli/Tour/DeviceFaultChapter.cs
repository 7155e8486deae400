using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;

namespace Mm.Cli.Tour;

/// <summary>The GPU faults where nobody has been: it gets memory of its own, in the largest chunk that fits; files refuse.</summary>
internal static class DeviceFaultChapter
{
    private static readonly PageCount Pages = new(32);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var card = new TourCard(stage);
        card.Svm.Policy = new SvmRequest { RequiresDevice = true };
        VirtRange array = card.Map(Pages);
        byte[] payload = card.MakePayload(Pages);
        ulong given = card.GivenRam;
        card.Svm.TryWrite(array.Start, payload).ThrowIfError();
        stage.Check(
            card.GivenRam == given && card.Gpu.Memory.UsedPages == Pages,
            $"the GPU wrote memory that nobody had touched: {Pages} of its own, and no page of RAM was ever taken");
        stage.Say($"  {string.Join("; ", card.Svm.Ranges)}: {card.Gpu.Copier.Counters}");
        stage.Check(card.CpuRead(array).AsSpan().SequenceEqual(payload), "the CPU touches it, and it comes home with the GPU's bytes");
        stage.Say("");
        using MemoryFile file = stage.Machine.Spaces.CreateFile();
        file.TryResize(Pages.ToBytes()).ThrowIfError();
        VirtRange mapped = card.Map(Pages, AreaKind.FileShared, file);
        Errno errno = card.Svm.TryFault(mapped.Start, card.Svm.Policy);
        stage.Check(errno == Errno.EBUSY && card.Gpu.Memory.UsedPages.IsZero, $"a file's memory does not come: {errno}");
    }
}
