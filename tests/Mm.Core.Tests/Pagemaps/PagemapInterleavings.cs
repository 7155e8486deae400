using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Testing.Interleavings;
using static Mm.Core.Tests.Pagemaps.PagemapRig;

namespace Mm.Core.Tests.Pagemaps;

/// <summary>Lookup, hand-out, put and kill in every order that their yield points allow (museum 13: no look-up finds a map that was killed).</summary>
internal sealed class PagemapInterleavings
{
    private static readonly PagemapKind[] Kinds = [PagemapKind.DevicePrivate, PagemapKind.Generic, PagemapKind.FsDax];

    [Test]
    public void LookupPutAndKill_InEveryOrder_EndInOneDeath([ValueSource(nameof(Kinds))] PagemapKind kind)
    {
        Exploration done = Explore(kind, (run, scenario) =>
        {
            PageRef page = run.Rig.HandOut(run.Map, Page(0));
            _ = scenario
                .Actor("lookup", run.Lookup)
                .Actor("put", page.Dispose)
                .Actor("kill", run.Kill);
        });
        Assert.That(done.Schedules, Is.GreaterThan(50));
    }

    [Test]
    public void HandOutLookupAndKill_InEveryOrder_EndInOneDeath([ValueSource(nameof(Kinds))] PagemapKind kind)
    {
        Exploration done = Explore(kind, (run, scenario) => scenario
            .Actor("taker", () => run.TakeAndPut(Page(0)))
            .Actor("lookup", run.Lookup)
            .Actor("kill", run.Kill));
        Assert.That(done.Schedules, Is.GreaterThan(50));
    }

    [Test]
    public void TwoTakersOfOnePageAndKill_InEveryOrder_NeverShareIt(
        [Values(PagemapKind.DevicePrivate, PagemapKind.Generic)] PagemapKind kind)
    {
        int owners = 0;
        Exploration done = Explore(kind, (run, scenario) =>
        {
            owners = 0;
            _ = scenario
                .Actor("one", () => run.TakeAndPut(Page(0), () => owners++, () => owners--))
                .Actor("two", () => run.TakeAndPut(Page(0), () => owners++, () => owners--))
                .Actor("kill", run.Kill)
                .Always("a page has one taker", () => owners <= 1);
        });
        Assert.That(done.Schedules, Is.GreaterThan(50));
    }

    [Test]
    public void StrayReferenceTakerAndKill_InEveryOrder_EndInOneDeath(
        [Values(PagemapKind.Generic, PagemapKind.FsDax)] PagemapKind kind)
    {
        Exploration done = Explore(kind, (run, scenario) =>
        {
            Assert.That(run.Rig.Frames.TryGet(Page(0), out PageRef stray), Is.EqualTo(Errno.Ok));
            _ = scenario
                .Actor("stray", () =>
                {
                    run.Points.Reach("holding");
                    stray.Dispose();
                })
                .Actor("taker", () => run.TakeAndPut(Page(0)))
                .Actor("kill", run.Kill);
        });
        Assert.That(done.Schedules, Is.GreaterThan(50));
    }

    private static Exploration Explore(PagemapKind kind, Action<Run, Scenario> cast) =>
        new Explorer { MaxInterruptions = 3 }.Explore(points =>
        {
            var run = new Run(kind, points);
            var scenario = new Scenario();
            cast(run, scenario);
            return scenario
                .Always("a dead map has no holds", () => run.Map.State != PagemapState.Dead
                    || (run.Map.Life.Users == 0 && run.Map.Life.Pages == 0))
                .Finally("the map died once", () => run is { Map.State: PagemapState.Dead, Deaths: 1 })
                .Finally("its pages have no descriptors", () => !run.Rig.Frames.HasMetadata(Page(0)))
                .Finally("nobody finds it", () => run.Rig.Registry.Maps.Count == 0)
                .Finally("the driver heard of every page that was out", () => run.Rig.Ops.Freed.Count == run.Outs)
                .Finally("no memory is left", run.End);
        }).ThrowIfFailed();

    private sealed class Run
    {
        internal Run(PagemapKind kind, IYieldPoints points)
        {
            Points = points;
            Rig = new PagemapRig(points: points);
            Map = Rig.Map(kind, Range(Window, 2 * MiB));
            tellsDriver = kind != PagemapKind.FsDax;
        }

        private readonly bool tellsDriver;

        internal IYieldPoints Points { get; }

        internal PagemapRig Rig { get; }

        internal Pagemap Map { get; }

        internal int Deaths { get; private set; }

        /// <summary>How many pages came back from being handed out, as the driver should have heard.</summary>
        internal int Outs => tellsDriver ? Rig.HandedOut : 0;

        internal void Kill() => Map.Unmap(() => Deaths++);

        internal void Lookup()
        {
            if (Rig.Registry.TryFind(Page(1), out PagemapRef found))
            {
                Points.Reach("using");
                Assert.That(found.Map.State, Is.Not.EqualTo(PagemapState.Dead));
                found.Dispose();
            }
        }

        internal void TakeAndPut(Pfn page, Action? taken = null, Action? before = null)
        {
            Errno errno = Map.TryHandOut(page, out PageRef reference, out PageLock pageLock);
            if (!errno.IsOk)
            {
                Assert.That(errno, Is.EqualTo(Errno.ENODEV).Or.EqualTo(Errno.EBUSY));
                return;
            }

            Rig.HandedOut++;
            taken?.Invoke();
            Points.Reach("owning");
            Assert.That(Map.State, Is.Not.EqualTo(PagemapState.Dead), "invariant 1");
            pageLock.Dispose();
            before?.Invoke();
            reference.Dispose();
        }

        internal bool End()
        {
            Rig.Dispose();
            return true;
        }
    }
}
