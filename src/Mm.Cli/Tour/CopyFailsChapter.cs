using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;
using Mm.Hmm.Copying;

namespace Mm.Cli.Tour;

/// <summary>The GPU's engine breaks copies off: nothing comes half, nothing leaks, and nobody sees a byte that was not written.</summary>
internal static class CopyFailsChapter
{
    private static readonly PageCount Pages = new(16);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var card = new TourCard(stage);
        VirtRange array = card.Map(Pages);
        byte[] payload = card.MakePayload(Pages);
        stage.Check(card.Process.Write(array.Start, payload) == FaultResult.Done, $"the CPU has filled {Pages}");
        card.Svm.TryFindOrInsert(array.Start, default, out SvmRange? range).ThrowIfError();
        stage.Machine.Faults.FailNth(CopyFaults.Page, 3);
        Errno errno = card.Svm.TryMigrateToDevice(range!, default);
        stage.Check(errno == Errno.EIO && card.Gpu.Memory.UsedPages.IsZero, $"a copy broke off: {errno}, and no page stays on the GPU");
        stage.Check(card.CpuRead(array).AsSpan().SequenceEqual(payload), "the CPU has all its bytes");
        stage.Machine.Faults.Clear();
        card.Svm.TryMigrateToDevice(range!, default).ThrowIfError();
        stage.Say("");
        stage.Machine.Faults.FailNth(CopyFaults.Page, 1);
        FaultResult touched = card.Process.Read(array.Start, new byte[1]);
        stage.Check(
            touched == FaultResult.BusError,
            $"on the way back the page that is touched is not copied: {touched}, and no stale byte is seen");
        stage.Machine.Faults.Clear();
        stage.Check(card.CpuRead(array).AsSpan().SequenceEqual(payload), "touched again, all bytes are there");
    }
}
