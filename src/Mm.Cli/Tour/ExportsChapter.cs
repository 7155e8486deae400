using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Cli.Tour;

/// <summary>One provider for a whole BAR, however much of it is shared; lists go through the DMA API as they are.</summary>
internal static class ExportsChapter
{
    private const int Exports = 64;

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        var system = new BufferSystem(stage.Machine);
        var exporter = new BarExporter(system.Buffers, stage.Pci);
        DmaDevice nic = stage.Attach(stage.DirectNic, stage.Pci.CreateDomain("iommu"));
        int bar = TourStage.LargestBar(stage.Gpu);
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        var handles = new List<BufferHandle>();
        for (int index = 0; index < Exports; index++)
        {
            var piece = new BarRange(ByteCount.FromKiB(64 * (ulong)index), PageSize.Small.Bytes);
            exporter.TryExport(stage.Gpu.Place, bar, [piece], out _, out BufferHandle? handle).ThrowIfError();
            handles.Add(handle!);
            builder.TryAppend(stage.ProvideGpuMemory().Aperture.Slice(piece.Offset, piece.Length)).ThrowIfError();
        }

        stage.Check(
            stage.Pci.Bars.Count == 1, $"{Exports} pieces of BAR {bar} are shared, and {stage.Pci.Bars.Count} provider answers for them");
        PhysRange ram = new(TourStage.FirstRam, PageSize.Small.Bytes);
        builder.TryAppend(ram).ThrowIfError();
        using PhysRangeList list = builder.Build();
        nic.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        stage.Check(
            IsRight(stage, list, mapping!),
            $"one list of {list.Count} ranges is mapped: peers by the provider's arithmetic, RAM by an I/O address");
        DmaAddr first = mapping!.Segments[0].Address;
        stage.Pci.TryUnbind(stage.Gpu.Place).ThrowIfError();
        stage.Check(
            !mapping.IsValid && !nic.Port.TryRead(first, new byte[1], out DmaFault fault).IsOk,
            "the GPU's driver is unbound: the provider is dead, and no address leads anywhere");
        mapping.Dispose();
        handles.ForEach(static handle => handle.Dispose());
    }

    private static bool IsRight(TourStage stage, PhysRangeList list, DmaMapping mapping)
    {
        ulong offset = 0;
        bool isRight = mapping.Length == list.Length;
        foreach (DmaSegment segment in mapping.Segments)
        {
            isRight &= list.TryFindByte(new ByteCount(offset), out PhysAddr address, out _);
            bool isPeer = stage.ProvideGpuMemory().Aperture.Contains(address);
            isRight &= segment.IsBusAddress == isPeer
                && (!isPeer || segment.Address == stage.ProvideGpuMemory().ToBusAddress(address));
            offset += segment.Length.Value;
        }

        return isRight;
    }
}
