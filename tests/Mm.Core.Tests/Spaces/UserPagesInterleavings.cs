using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Pins against what takes the page from its process, in every order (museum 15, 16).</summary>
internal sealed class UserPagesInterleavings
{
    [Test]
    public void FastPinAndFork_InEveryOrder_PinSeesWhatTheProcessSees([Values] bool isWrite)
    {
        Exploration done = ExploreFork(isWrite, ignoresFork: false);
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(5));
    }

    [Test]
    public void FastPinAndFork_WithPinsThatIgnoreTheFork_IsCaught([Values] bool isWrite)
    {
        Exploration done = ExploreFork(isWrite, ignoresFork: true);
        Assert.That(done.Failure?.Message, Does.Contain("the pin sees what the process sees"));
    }

    [Test]
    public void FastPinAndUnmap_InEveryOrder_NeverPinAFreePage()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points);
            return new Scenario()
                .Actor("pinner", () => run.TryPin(PinFlags.Write | PinFlags.Fast))
                .Actor("unmapper", () => run.Rig.Space.TryUnmap(At(0), Pages(1)).ThrowIfError())
                .Finally("the pin holds the page that was there", () => run.Pin.IsEmpty || run.Rig.Peek(run.Pin.Page) == 1)
                .Finally("nothing is left", run.End);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(3));
    }

    [Test]
    public void FastPinAndMigration_InEveryOrder_EitherPinsOrMoves()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points);
            bool isMoved = false;
            return new Scenario()
                .Actor("pinner", () => run.TryPin(PinFlags.Write | PinFlags.Fast))
                .Actor("mover", () => isMoved = run.TryMove())
                .Finally("the page is pinned where it lies", () => run.Pin.Page == run.Rig.Entry(0).Frame)
                .Finally("the pin sees what the process sees", run.SeesTheSame)
                .Finally("nothing is left", run.End);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(3));
    }

    [Test]
    public void LongTermPinOfAPageOffTheList_InEveryOrder_EndsAndHoldsNoMovableMemory()
    {
        var ends = new HashSet<string>(StringComparer.Ordinal);
        Exploration done = ExploreUnlisted(static _ => { }, ends);
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
        Assert.That(ends, Is.EquivalentTo(new[] { "pinned elsewhere", "refused" }));
    }

    [Test]
    public void LongTermPinOfAPageOffTheList_WithPinsThatSpin_NeverEnds()
    {
        Exploration done = ExploreUnlisted(static spaces => spaces.LongTermPinsSpin = true, []);
        Assert.That(done.Failure?.Kind, Is.EqualTo(FailureKind.Endless), "museum 15 is caught: no progress");
    }

    [Test]
    public void LongTermPinOfAPageOffTheList_WithPinsThatTrustIt_HoldsMovableMemory()
    {
        Exploration done = ExploreUnlisted(static spaces => spaces.LongTermPinsTrustUnlisted = true, []);
        Assert.That(done.Failure?.Message, Does.Contain("no long-term pin holds movable memory"), "museum 15 is caught");
    }

    // A page of a movable zone, which somebody has off the reclaim list for a while.
    private static Exploration ExploreUnlisted(Action<AddressSpaces> plant, HashSet<string> ends) =>
        new Explorer { MaxInterruptions = 1, MaxSteps = 1_000 }.Explore(points =>
        {
            var run = new Run(points, movableMiB: 4);
            plant(run.Rig.Spaces);
            Pfn page = run.Rig.Entry(0).Frame;
            return new Scenario()
                .Actor("pinner", () => run.TryPin(PinFlags.Write | PinFlags.LongTerm))
                .Actor("mover", () => run.TakeOffTheListForAWhile(page, points))
                .Always("no long-term pin holds movable memory", () => run.Pin.IsEmpty || run.Rig.Frames.IsLongTermPinnable(run.Pin.Page))
                .Finally("the process keeps its byte", () =>
                {
                    _ = ends.Add(run.Pin.IsEmpty ? "refused" : "pinned elsewhere");
                    return run.Rig.Read(0) == 1;
                })
                .Finally("nothing is left", run.End);
        });

    private static Exploration ExploreFork(bool isWrite, bool ignoresFork) => new Explorer().Explore(points =>
    {
        var run = new Run(points);
        run.Rig.Spaces.FastPinsIgnoreFork = ignoresFork;
        PinFlags flags = PinFlags.Fast | (isWrite ? PinFlags.Write : PinFlags.None);
        return new Scenario()
            .Actor("pinner", () => run.TryPin(flags))
            .Actor("forker", () => run.Child = run.Rig.Fork())
            .Finally("the pin sees what the process sees", run.SeesTheSame)
            .Finally("the child sees the time of the fork", () => run.Rig.Read(0, run.Child) == 1)
            .Finally("nothing is left", run.End);
    });

    private sealed class Run
    {
        internal Run(Core.Checks.IYieldPoints points, ulong movableMiB = 0)
        {
            Action<MachineBuilder>? shape = movableMiB == 0
                ? null
                : builder => builder.WithMovableZone(new NodeId(0), ByteCount.FromMiB(movableMiB));
            Rig = new SpaceRig(points, shape, ramMiB: 4 + movableMiB);
            Rig.Map(0, 1);
            Rig.Write(0, 1);
        }

        internal SpaceRig Rig { get; }

        internal AddressSpace? Child { get; set; }

        internal PagePin Pin { get; private set; }

        internal void TryPin(PinFlags flags)
        {
            var pins = new PagePin[1];
            _ = Rig.Space.TryPin(At(0), flags, pins, out _);
            Pin = pins[0];
        }

        internal void TakeOffTheListForAWhile(Pfn page, Core.Checks.IYieldPoints points)
        {
            // Held, as who has a page off the list holds it; where the pin was faster, it is somebody else's page now.
            if (Rig.Frames.TryGet(page, out PageRef held).IsOk)
            {
                bool isOff = Rig.Entry(0).Frame == page && Rig.Spaces.Migration.TryIsolate(page);
                points.Reach("off-the-list");
                if (isOff)
                {
                    Rig.Spaces.Migration.PutBack(page);
                }

                held.Dispose();
            }
        }

        internal bool TryMove()
        {
            Pfn page = Rig.Entry(0).Frame;
            if (!Rig.Frames.TryGet(page, out PageRef held).IsOk)
            {
                return false;
            }

            bool isMoved = Rig.Spaces.Migration.TryMoveToRam(page, AllocationRequest.User).IsOk;
            held.Dispose();
            return isMoved;
        }

        internal bool SeesTheSame()
        {
            Rig.Write(0, 3);
            if (Rig.Peek(Pin.Page) != 3)
            {
                return false;
            }

            Rig.Poke(Pin.Page, 2);
            return Rig.Read(0) == 2;
        }

        internal bool End()
        {
            Pin.Dispose();
            Rig.Dispose();
            return true;
        }
    }
}
