using Mm.Core;
using Mm.Devices.Gpus.Vram;

namespace Mm.Devices.Tests.Gpus.Vram;

/// <summary>Against a set of page numbers: no page is given twice, none is lost, and what is there is found.</summary>
internal sealed class VramPoolProperties
{
    [FsCheck.NUnit.Property(MaxTest = 200)]
    public bool Pool_AnyTakesAndReturns_GivesEachPageOnce(byte visible, byte hidden, (bool IsReturn, byte Pages, bool IsHidden)[] steps)
    {
        using Machine machine = Machine.CreateBuilder().Build();
        var pool = new VramPool(machine.Faults, new PageCount(visible), new PageCount((ulong)visible + hidden));
        var taken = new HashSet<ulong>();
        var held = new Queue<List<VramRun>>();
        foreach ((bool isReturn, byte pages, bool isHidden) in steps)
        {
            if (isReturn)
            {
                if (held.TryDequeue(out List<VramRun>? back))
                {
                    pool.Return(back);
                    taken.ExceptWith(back.SelectMany(PagesOf));
                }

                continue;
            }

            VramPart part = isHidden ? VramPart.Hidden : VramPart.Visible;
            var wanted = new PageCount((ulong)(pages % 90) + 1);
            var runs = new List<VramRun>();
            bool isThere = pool.CountFree(part) >= wanted;
            bool isTaken = pool.TryTake(wanted, part, runs).IsOk;
            ulong[] got = [.. runs.SelectMany(PagesOf)];
            if (isTaken != isThere || got.Length != (isThere ? (int)wanted.Value : 0)
                || !got.All(page => taken.Add(page) && pool.PartAt(new PageCount(page)) == part))
            {
                return false;
            }

            held.Enqueue(runs);
            pool.Validate();
        }

        return pool.UsedPages.Value == (ulong)taken.Count;
    }

    private static IEnumerable<ulong> PagesOf(VramRun run) =>
        Enumerable.Range(0, (int)run.Count.Value).Select(index => run.First.Value + (ulong)index);
}
