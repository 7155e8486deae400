using Mm.Core;
using Mm.Core.Policies;
using Mm.Core.Spaces;

namespace Mm.Cli.Tour;

/// <summary>Says where memory is to lie: not by mbind, which takes no node of device memory, but by the driver's own wish.</summary>
internal static class PreferChapter
{
    private static readonly PageCount Pages = new(64);
    private static readonly PageCount Touched = new(16);
    private static readonly NodeId GpuNode = new(2);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        using var gpu = new TourGpu(stage, GpuNode);
        VirtRange array = gpu.Map(Pages);
        Errno refused = gpu.Process.TryBind(array.Start, array.Length, PolicyMode.Bind, new NodeSet(GpuNode));
        stage.Check(
            refused == Errno.EINVAL && stage.Machine.Nodes.IsOnline(GpuNode),
            $"mbind to {GpuNode}, which has the GPU's memory and nothing else: {refused}");

        PageCount before = gpu.UsedRam;
        gpu.Mirror.Prefer(array);
        gpu.Count("the driver prefers the GPU:");
        stage.Check(gpu.Device.UsedPages.IsZero && gpu.UsedRam == before, "a wish that nobody uses costs no memory, of whatever kind");
        var part = new VirtRange(array.Start, Touched.ToBytes());
        int faults = gpu.Write(part, new byte[part.Length.Value]);
        gpu.Count($"the GPU has written {Touched.Value} pages:");
        stage.Check(
            gpu.Device.UsedPages == Touched && gpu.UsedRam == before && faults == 1,
            "what it touched was allocated on the GPU, and nothing else");

        var other = new NodeId(1);
        gpu.Process.TryBind(
            array.Start, array.Length, PolicyMode.Bind, new NodeSet(other), BindFlags.Strict | BindFlags.Move).ThrowIfError();
        stage.Check(gpu.Device.UsedPages == Touched, $"mbind to {other} moves pages of RAM alone, and says nothing of the GPU's");
        _ = gpu.CpuRead(part);
        gpu.Count("the CPU has read them:");
        var where = new PageMoveStatus[1];
        gpu.Process.QueryNodes([array.Start], where);
        stage.Check(where[0].Node == other, $"what comes back to RAM comes to {where[0].Node}, as the process's policy says");
    }
}
