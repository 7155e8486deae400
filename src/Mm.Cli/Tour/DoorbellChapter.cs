using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.P2pDma.Providers;

namespace Mm.Cli.Tour;

/// <summary>Shares a doorbell of the GPU with a NIC through a process's mapping: no pin, and it moves.</summary>
internal static class DoorbellChapter
{
    /// <summary>Tells the chapter.</summary>
    public static void Tell(TourStage stage)
    {
        BarProvider memory = stage.ProvideGpuMemory();
        stage.Pci.Pools.TryAddResource(
            stage.Gpu.Place, TourStage.LargestBar(stage.Gpu), ByteCount.FromMiB(2), ByteCount.Zero, out _).ThrowIfError();
        var doorbell = new TourDoorbell(stage.Machine, memory.Aperture.Slice(ByteCount.Zero, ByteCount.FromMiB(2)));
        stage.Machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        using (process)
        {
            var request = new AreaRequest(PageSize.Small.Bytes, doorbell.Backing.Describe(AreaAccess.ReadWrite));
            process!.TryMap(request, out VirtRange range).ThrowIfError();
            bool isRung = process.Write(range.Start, [1]) == FaultResult.Done && doorbell.Rung == 1;
            stage.Check(isRung, $"a process maps the doorbell at {doorbell.Current.Start} and rings it");
            Pin(stage, process, range);
            Ring(stage, memory, doorbell, process, range);
            PageInfo page = stage.Machine.Frames.Describe(doorbell.Current.Start.Pfn);
            stage.Check(!page.MaybePinned && page.References == 1, "all the while no page of the BAR was pinned or counted");
        }

        stage.Check(doorbell.Backing.SpaceCount == 0, "the process is gone, and nobody maps the doorbell");
    }

    private static void Pin(TourStage stage, AddressSpace process, VirtRange range)
    {
        PinFlags[] ways =
        [
            PinFlags.None, PinFlags.Write, PinFlags.Write | PinFlags.Fast, PinFlags.LongTerm, PinFlags.PeerMemory, PinFlags.Force,
        ];
        var pins = new PagePin[1];
        bool isRefused = Array.TrueForAll(ways, flags => process.TryPin(range.Start, flags, pins, out _) == Errno.EFAULT);
        stage.Check(isRefused, $"pinning it is refused in each of {ways.Length} ways: EFAULT");
    }

    private static void Ring(TourStage stage, BarProvider memory, TourDoorbell doorbell, AddressSpace process, VirtRange range)
    {
        DmaDevice nic = stage.Attach(stage.DirectNic);
        var import = new PeerImport(nic.Id, stage.Pci.CreateListBuilder())
        {
            IsWrite = true,
            Ended = () => stage.Say($"  {stage.DirectNic.Place} is told: the addresses end"),
        };
        process.TryMapPeer(range, import, out PeerAreaMapping? shared).ThrowIfError();
        nic.TryMap(shared!.List, DmaDirection.Bidirectional, out DmaMapping? window).ThrowIfError();
        DmaAddr address = window!.Segments[0].Address;
        nic.Port.TryWrite(address, [2], out _).ThrowIfError();
        stage.Check(
            doorbell.Rung == 2 && address == memory.ToBusAddress(doorbell.Current.Start),
            $"the mapping's owner gives {stage.DirectNic.Place} the bus address {address}, and it rings");

        doorbell.Move(new PageCount(9));
        Errno write = nic.Port.TryWrite(address, [3], out DmaFault fault);
        stage.Check(!write.IsOk && !shared.IsValid && doorbell.Rung == 2, $"the doorbell has moved; the old address is dead: {fault}");
        window.Dispose();
        shared.Dispose();

        process.TryMapPeer(range, import, out PeerAreaMapping? again).ThrowIfError();
        nic.TryMap(again!.List, DmaDirection.Bidirectional, out DmaMapping? moved).ThrowIfError();
        nic.Port.TryWrite(moved!.Segments[0].Address, [4], out _).ThrowIfError();
        byte[] seen = new byte[1];
        bool isSeen = process.Read(range.Start, seen) == FaultResult.Done && seen[0] == 4;
        stage.Check(isSeen, $"asked again, it rings at {moved.Segments[0].Address}, and the process sees it there");
        moved.Dispose();
        again.Dispose();
    }
}
