using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Mapping;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tour;

/// <summary>Maps one list of BAR ranges for three clients.</summary>
internal static class MapChapter
{
    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        IommuDomain domain = stage.Pci.CreateDomain("iommu");
        PciFunction[] clients = [stage.DirectNic, stage.Drive, stage.FarNic];
        foreach (PciFunction client in clients)
        {
            _ = stage.Attach(client, domain);
        }

        using PhysRangeList list = BuildList(stage);
        ByteCount reserved = domain.UsedAddresses;
        IReadOnlyList<PeerMapAttempt> attempts = stage.Pci.Mapper.MapForEach(
            list, DmaDirection.Bidirectional, [.. clients.Select(client => client.Place)]);
        foreach (PeerMapAttempt attempt in attempts)
        {
            stage.Say(attempt.ToString());
            foreach (DmaSegment segment in SegmentsOf(attempt))
            {
                stage.Say($"  {segment}");
            }
        }

        stage.Say("");
        Judge(stage, attempts, domain, list);
        stage.Check(domain.UsedAddresses == reserved, "after unmapping, none is in use but the windows set aside");
    }

    private static PhysRangeList BuildList(TourStage stage)
    {
        BarProvider provider = stage.ProvideGpuMemory();
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        builder.TryAppend(provider.Aperture.Slice(ByteCount.FromMiB(64), ByteCount.FromMiB(2))).ThrowIfError();
        builder.TryAppend(provider.Aperture.Slice(ByteCount.FromMiB(128), ByteCount.FromKiB(12))).ThrowIfError();
        PhysRangeList list = builder.Build();
        stage.Say($"The list: {list.Count} ranges of 16 bytes each for {list.Length} of {provider.Name}.");
        foreach (PhysRange range in list)
        {
            stage.Say($"  {range}");
        }

        stage.Say("");
        return list;
    }

    private static void Judge(
        TourStage stage, IReadOnlyList<PeerMapAttempt> attempts, IommuDomain domain, PhysRangeList list)
    {
        stage.Check(
            attempts[0].Errno.IsOk && SegmentsOf(attempts[0]).All(segment => segment.IsBusAddress),
            $"{attempts[0].Client} got bus addresses: nothing translates in between");
        stage.Check(
            attempts[1].Errno.IsOk && SegmentsOf(attempts[1]).All(segment => !segment.IsBusAddress),
            $"{attempts[1].Client} got I/O addresses: through the host bridge");
        stage.Check(attempts[2].Errno == Errno.EREMOTEIO, $"{attempts[2].Client} was refused: EREMOTEIO");
        stage.Check(domain.MappedBytes == list.Length, $"one of the three takes I/O address space: {domain.MappedBytes}");
        foreach (PeerMapAttempt attempt in attempts)
        {
            attempt.Dispose();
        }

        stage.Check(domain.MappedBytes.IsZero, "after unmapping, nothing is mapped");
    }

    private static DmaSegment[] SegmentsOf(PeerMapAttempt attempt) =>
        attempt.Mapping is { } mapping ? mapping.Segments.ToArray() : [];
}
