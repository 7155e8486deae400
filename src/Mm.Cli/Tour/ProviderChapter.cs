using Mm.Core;
using Mm.P2pDma.Providers;

namespace Mm.Cli.Tour;

/// <summary>Gives the GPU's BAR a provider and finds it again by address.</summary>
internal static class ProviderChapter
{
    private const int Exports = 64;

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        BarProvider provider = stage.ProvideGpuMemory();
        stage.Say($"{provider}: one provider for the whole aperture, no page descriptors; the driver stays the only allocator.");

        int found = 0;
        for (ulong i = 0; i < Exports; i++)
        {
            // Odd sizes at odd places: nothing of a provider is aligned to pages.
            PhysRange export = provider.Aperture.Slice(new ByteCount((i * 300_007) + 11), new ByteCount(512 + i));
            found += ReferenceEquals(stage.Pci.ProviderMap.Find(export.Start), provider) ? 1 : 0;
        }

        stage.Check(found == Exports, $"{Exports} exports inside one BAR lead back to one provider");
        stage.Check(stage.Pci.ProviderMap.Find(TourStage.FirstRam) is null, "RAM has no provider");
        ValidityToken token = provider.Validity;
        stage.Pci.TryUnbind(stage.Gpu.Place).ThrowIfError();
        stage.Check(!token.IsValid && !provider.IsLive, "when the driver unbinds, the provider dies, and every token with it");
    }
}
