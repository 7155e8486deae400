using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tour;

/// <summary>Carries slices of 512 bytes and 4 KiB of neighbouring functions' BARs in one list: no page descriptors, byte-exact.</summary>
internal static class SliceChapter
{
    private static readonly PhysAddr Start = new(0xd000_0000);

    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        BarProvider one = Add(stage, 1, Start, 512);
        BarProvider two = Add(stage, 2, Start.AddChecked(new ByteCount(512)), 4096);
        stage.Say($"{one}");
        stage.Say($"{two}");
        PhysRange[] slices = [one.Aperture, two.Aperture, two.Aperture.Slice(new ByteCount(512), new ByteCount(512))];
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        builder.TryAppend(slices).ThrowIfError();
        using PhysRangeList list = builder.Build();
        stage.Check(list.OwnerRuns.Length == 2 && list.Ranges.SequenceEqual(slices), "two owners in one page: neighbours stay apart");
        stage.Check(!stage.Machine.Frames.HasMetadata(new Pfn(Start.Value >> 12)), "no page descriptor was made for it");

        DmaDevice nic = stage.Attach(stage.DirectNic);
        nic.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            bool isExact = true;
            for (int index = 0; index < slices.Length; index++)
            {
                DmaSegment segment = mapping!.Segments[index];
                BarProvider owner = index == 0 ? one : two;
                stage.Say($"  {slices[index]} -> {segment}");
                isExact &= segment.Address == owner.ToBusAddress(slices[index].Start) && segment.Length == slices[index].Length;
                isExact &= Arrives(stage, nic, segment, slices[index], (byte)(index + 1));
            }

            stage.Check(isExact, $"{stage.DirectNic.Place} writes each by bus address, and the bytes arrive to the byte");
        }
    }

    private static bool Arrives(TourStage stage, DmaDevice nic, DmaSegment segment, PhysRange slice, byte value)
    {
        byte[] bytes = new byte[segment.Length.Value];
        bytes.AsSpan().Fill(value);
        nic.Port.TryWrite(segment.Address, bytes, out _).ThrowIfError();
        using SpanLease lease = stage.Machine.Lease(slice);
        return !lease.Bytes.ContainsAnyExcept(value);
    }

    private static BarProvider Add(TourStage stage, int function, PhysAddr start, ulong size)
    {
        PciAddress address = PciAddress.Parse($"{stage.Gpu.Address.ToString()[..^1]}{function}");
        PciFunction added = stage.Gpu with
        {
            Address = address,
            OsDevices = [],
            Label = null,
            Bars = [new PciBar(0, start, new ByteCount(size), PciBarFlags.Memory)],
        };
        stage.Pci.TryAdd(added, out _).ThrowIfError();
        stage.Pci.Bars.TryGet(address, 0, out BarProvider? provider).ThrowIfError();
        return provider!;
    }
}
