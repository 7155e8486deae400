using Mm.Cli.Pictures;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tour;

/// <summary>Asks the kernel's rules who reaches the GPU, and what would have to change.</summary>
internal static class PathChapter
{
    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        P2pRouter router = stage.Pci.Router;
        new P2pMatrixPicture(router, isAll: false).Draw(stage.Output);
        stage.Say("");
        foreach (PciFunction client in new[] { stage.DirectNic, stage.Drive, stage.FarNic })
        {
            stage.Say(router.Explain(stage.Gpu.Place, client.Place).ToString());
            stage.Say("");
        }

        PciPlace gpu = stage.Gpu.Place;
        stage.Check(router.Decide(gpu, stage.DirectNic.Place).Kind == P2pMapKind.BusAddress, "behind one switch: direct");
        stage.Check(
            router.Decide(gpu, stage.Drive.Place).Kind == P2pMapKind.ThroughHostBridge,
            "across root ports of one listed host bridge: through it");
        stage.Check(
            router.Decide(gpu, stage.FarNic.Place).Kind == P2pMapKind.NotSupported,
            "across sockets, where the list wants one host bridge: refused");
        CheckRemedy(stage, router);
    }

    private static void CheckRemedy(TourStage stage, P2pRouter router)
    {
        PciPlace gpu = stage.SecondGpu.Place;
        PciPlace drive = stage.Drive.Place;
        AcsRemedy remedy = router.FindAcsRemedy(gpu, drive);
        stage.Say("");
        stage.Say($"{drive} and {gpu} share a switch whose ports redirect: {router.Decide(gpu, drive)}. To let them go directly:");
        foreach (string line in remedy.ToSetPciLines())
        {
            stage.Say($"  {line}");
        }

        stage.Check(
            router.WhatIf(remedy).Decide(gpu, drive).Kind == P2pMapKind.BusAddress,
            $"with these {remedy.BitCount} bits cleared the pair goes directly");
    }
}
