using Mm.Core.Frames;

namespace Mm.Core.Tests.Frames;

/// <summary>Small machines and shorthands for tests of frames.</summary>
internal static class FrameMachines
{
    internal static readonly NodeId Node0 = new(0);
    internal static readonly NodeId Node1 = new(1);

    internal static PhysRange Mib(ulong start, ulong length) =>
        new(new PhysAddr(start << 20), ByteCount.FromMiB(length));

    /// <summary>16 MiB of DMA32 RAM on node 0, from address 0.</summary>
    internal static Machine OneNode() => Machine.CreateBuilder().AddRam(Node0, Mib(0, 16)).Build();

    /// <summary>Node 0: 8 MiB DMA32 at 0, 16 MiB NORMAL at 4 GiB, of which the last 8 MiB are MOVABLE. Node 1: 8 MiB NORMAL.</summary>
    internal static Machine TwoNodes() =>
        Machine.CreateBuilder()
            .AddRam(Node0, Mib(0, 8))
            .AddRam(Node0, Mib(4096, 16))
            .AddRam(Node1, Mib(8192, 8))
            .WithMovableZone(Node0, ByteCount.FromMiB(8))
            .Build();

    /// <summary>16 MiB on node 0, of which [8 MiB, 12 MiB) are lent to movable pages.</summary>
    internal static Machine WithCma() =>
        Machine.CreateBuilder().AddRam(Node0, Mib(0, 16)).AddCma(Mib(8, 4)).Build();

    internal static PageRef Take(this Machine machine, AllocationRequest request)
    {
        Assert.That(machine.Allocator.TryAllocate(request, out PageRef page), Is.EqualTo(Errno.Ok), request.ToString());
        return page;
    }

    internal static PageBlock TakeBlock(this Machine machine, AllocationRequest request)
    {
        Assert.That(machine.Allocator.TryAllocateBlock(request, out PageBlock block), Is.EqualTo(Errno.Ok));
        return block;
    }

    /// <summary>Takes pages until there are none.</summary>
    internal static List<PageRef> TakeAll(this Machine machine, AllocationRequest request)
    {
        var pages = new List<PageRef>();
        while (machine.Allocator.TryAllocate(request, out PageRef page).IsOk)
        {
            pages.Add(page);
        }

        return pages;
    }

    internal static void PutAll(this List<PageRef> pages)
    {
        foreach (PageRef page in pages)
        {
            page.Dispose();
        }

        pages.Clear();
    }

    /// <summary>Every free block as text, untouched ones as the blocks they would be.</summary>
    internal static IReadOnlyList<string> Picture(this Machine machine)
    {
        PageAllocator allocator = machine.Allocator;
        var lines = new List<string>();
        foreach (FrameZone zone in allocator.Zones)
        {
            foreach (FrameRun run in zone.Untouched)
            {
                for (ulong frame = run.Start; frame < run.End; frame += FrameZone.MaxBlockFrames)
                {
                    lines.Add($"{zone.Key} {frame:x8} order 10 Movable");
                }
            }

            for (int order = 0; order <= FrameZone.MaxOrder; order++)
            {
                for (MigrateType type = MigrateType.Unmovable; type <= MigrateType.Isolate; type++)
                {
                    ref readonly FrameList list = ref zone.ListOf(order, type);
                    ulong link = list.IsEmpty ? 0 : list.First + 1;
                    for (; link != 0; link = allocator.Pages[link - 1].Next)
                    {
                        lines.Add($"{zone.Key} {link - 1:x8} order {order} {type}");
                    }
                }
            }
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }
}
