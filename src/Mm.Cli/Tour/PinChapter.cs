using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;

namespace Mm.Cli.Tour;

/// <summary>Pins part of an array for DMA, and sees that it stays in RAM, and why.</summary>
internal static class PinChapter
{
    private const int Pinned = 3;
    private static readonly PageCount Pages = new(8);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var gpu = new TourGpu(stage);
        VirtRange array = gpu.MapFilled(Pages, out byte[] payload);
        var pins = new PagePin[Pinned];
        gpu.Process.TryPin(array.Start, PinFlags.Write | PinFlags.LongTerm, pins, out int count).ThrowIfError();
        stage.Check(count == Pinned, $"a NIC's driver pins the first {Pinned} of {Pages}, for long");

        var reasons = new List<StayReason>();
        gpu.Mirror.TryMigrateToDevice(array, out PageCount moved, (at, reason) =>
        {
            reasons.Add(reason);
            stage.Say($"  {at} stays: {reason}");
        }).ThrowIfError();
        gpu.Count("all of it was to move:");
        stage.Check(
            reasons.Count == Pinned && reasons.TrueForAll(reason => reason == StayReason.Pinned)
            && moved.Value == Pages.Value - Pinned, $"{moved} went, the pinned ones stayed, and each said why");
        stage.Check(gpu.Read(array, out int faults).AsSpan().SequenceEqual(payload), $"the GPU reads both kinds, after {faults} fault");
        WriteBehind(stage, gpu, array, pins[0], payload);

        foreach (PagePin pin in pins)
        {
            pin.Dispose();
        }

        reasons.Clear();
        var first = new VirtRange(array.Start, new PageCount(Pinned).ToBytes());
        gpu.Mirror.TryMigrateToDevice(first, out moved, (_, reason) => reasons.Add(reason)).ThrowIfError();
        gpu.Count("unpinned, they were to move again:");
        stage.Check(moved.Value == Pinned && reasons.Count == 0, "nothing holds them any more, and they go");
        stage.Check(gpu.Read(array, out _).AsSpan().SequenceEqual(payload), "with every byte, the NIC's as well");
    }

    // DMA writes through the pin; process and GPU must see it.
    private static void WriteBehind(TourStage stage, TourGpu gpu, VirtRange array, PagePin pin, byte[] payload)
    {
        using (SpanLease lease = stage.Machine.Lease(new PhysRange(pin.Page.Address, PageSize.Small.Bytes)))
        {
            lease.Bytes.Fill(0x5a);
        }

        payload.AsSpan(0, (int)PageSize.Small.Bytes.Value).Fill(0x5a);
        bool isSame = gpu.CpuRead(array).AsSpan().SequenceEqual(payload) && gpu.Read(array, out _).AsSpan().SequenceEqual(payload);
        stage.Check(isSame, "what the NIC writes into the pinned page, process and GPU see");
        gpu.Mirror.TryMigrateToDevice(array, out _).ThrowIfError();
    }
}
