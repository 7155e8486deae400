using Mm.Core;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Mirrors;

public sealed class MirrorPagesTests
{
    /// <summary>Whatever is taken and comes back: the last page that came back goes first, and 2 MiB are aligned, free and the highest.</summary>
    [FsCheck.NUnit.Property(MaxTest = 60)]
    public void TakeAndReturn_InAnyOrder_IsAStackWithAlignedBlocks(byte[] program, ushort skew, ushort size)
    {
        using var rig = new MirrorRig();
        var frames = new PfnRange(new Pfn(0x10_0000 + (skew % 700UL)), new PageCount(1 + (size % 2500UL)));
        var pages = new MirrorPages(frames);
        List<Pfn> free = [.. Enumerable.Range(0, (int)frames.Count.Value).Select(index => new Pfn(frames.Start.Value + (ulong)index))];
        var used = new List<Pfn>();
        foreach (byte step in program)
        {
            switch (step % 4)
            {
                case 0:
                    TakeLarge(rig, pages, free, used);
                    break;
                case 1:
                    for (int count = 0; count < step && used.Count > 0; count++)
                    {
                        int at = (step * 31 % used.Count + count) % used.Count;
                        pages.Return(used[at]);
                        free.Add(used[at]);
                        used.RemoveAt(at);
                    }

                    break;
                default:
                    Assert.That(pages.TryTake(rig.Mirror, out Pfn page), Is.EqualTo(free.Count > 0));
                    if (free.Count > 0)
                    {
                        Assert.That(page, Is.EqualTo(free[^1]));
                        used.Add(page);
                        free.RemoveAt(free.Count - 1);
                    }

                    break;
            }
        }

        Assert.That(pages.FreeCount, Is.EqualTo(free.Count));
        Assert.That(CollectUsed(pages), Is.EqualTo(used.OrderBy(static page => page.Value)));
        Assert.That(used.TrueForAll(page => pages.HolderOf(page) == rig.Mirror), Is.True);
    }

    // In pieces of which none cuts an aligned 2 MiB in two.
    private static List<Pfn> CollectUsed(MirrorPages pages)
    {
        var all = new List<Pfn>();
        Pfn[] room = new Pfn[700];
        int next = 0;
        int count;
        while ((count = pages.CollectUsed(ref next, room)) != 0)
        {
            bool isCut = all.Count > 0 && all[^1].Value >> PageSize.Large.Order == room[0].Value >> PageSize.Large.Order;
            Assert.That(isCut, Is.False);
            all.AddRange(room.AsSpan(0, count));
        }

        return all;
    }

    private static void TakeLarge(MirrorRig rig, MirrorPages pages, List<Pfn> free, List<Pfn> used)
    {
        ulong? highest = free.GroupBy(static page => page.Value >> PageSize.Large.Order)
            .Where(static block => block.Count() == (int)PageSize.Large.Pages.Value)
            .Select(static block => (ulong?)block.Key << PageSize.Large.Order)
            .Max();
        Assert.That(pages.TryTakeLarge(rig.Mirror, out Pfn head), Is.EqualTo(highest is not null));
        if (highest is { } first)
        {
            Assert.That(head.Value, Is.EqualTo(first));
            used.AddRange(free.Where(page => page.Value >> PageSize.Large.Order == first >> PageSize.Large.Order));
            free.RemoveAll(page => page.Value >> PageSize.Large.Order == first >> PageSize.Large.Order);
        }
    }
}
