using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Policies;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;
using static Mm.Core.Tests.Spaces.NodeRig;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Pages that move between nodes, against whoever uses or drops them meanwhile, in every order.</summary>
internal sealed class MoveQueueInterleavings
{
    private const BindFlags Moving = BindFlags.Move;

    [Test]
    public void MoveAndWrite_InEveryOrder_LoseNoByte([Values] bool isLarge) => Explore(isLarge, (run, scenario) => scenario
        .Actor("writer", () => run.Inner.Write(At(3, 8), 9))
        .Finally("both bytes are there", () => run.Inner.Read(3) == 4 && run.Inner.Read(At(3, 8)) == 9)
        .Finally("the page has moved", () => run.Nodes.NodeOf(3) == Node1));

    [Test]
    public void MoveAndDrop_InEveryOrder_LeaveNothing([Values] bool isLarge) => Explore(isLarge, (run, scenario) => scenario
        .Actor("dropper", () => run.Space.TryDropPages(At(0), Pages(run.Count)).ThrowIfError())
        .Finally("nothing is resident", () => run.Space.CountResident(RssKind.Anonymous).IsZero));

    [Test]
    public void MoveAndUnmapOfAPart_InEveryOrder_KeepTheRest([Values] bool isLarge) => Explore(isLarge, (run, scenario) => scenario
        .Actor("unmapper", () => run.Space.TryUnmap(At(0), Pages(2)).ThrowIfError())
        .Finally("the rest is there", () => run.Inner.Read(3) == 4 && run.Inner.Read(2) == 3)
        .Finally("and no more", () => run.Space.CountResident(RssKind.Anonymous).Value == run.Count - 2));

    [Test]
    public void MoveAndFork_InEveryOrder_ShowBothTheBytes([Values] bool isLarge)
    {
        AddressSpace? child = null;
        Explore(isLarge, (run, scenario) => scenario
            .Actor("forker", () => child = run.Inner.Fork())
            .Finally("both see the bytes", () => run.Inner.Read(3) == 4 && run.Inner.Read(3, child) == 4)
            .Finally("they are apart", () =>
            {
                run.Inner.Write(3, 7, child);
                return run.Inner.Read(3) == 4 && run.Inner.Read(3, child) == 7;
            }));
    }

    [Test]
    public void MoveAndPin_InEveryOrder_PinWhatTheProcessSees([Values] bool isLarge) => Explore(isLarge, (run, scenario) =>
    {
        PagePin pin = default;
        return scenario
            .Actor("pinner", () => pin = run.Inner.Pin(3, PinFlags.Write | PinFlags.Fast))
            .Finally("the pin holds the page that is mapped", () =>
            {
                bool isSame = pin.Page == run.Inner.Entry(3).Frame && run.Inner.Peek(pin.Page) == 4;
                pin.Dispose();
                return isSame;
            });
    });

    private static void Explore(bool isLarge, Func<Run, Scenario, Scenario> cast)
    {
        Run? last = null;
        Exploration done = new Explorer { MaxInterruptions = 2 }.Explore(points =>
        {
            last?.End();
            last = new Run(points, isLarge);
            Run run = last;
            Scenario scenario = new Scenario().Actor("mover", run.Move);
            return cast(run, scenario).Finally("all counts add up", run.IsValid); // the last outcome: all others held
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
        last!.End();
    }

    private sealed class Run
    {
        private bool isAtRest;

        internal Run(IYieldPoints points, bool isLarge)
        {
            Nodes = new NodeRig(points: new OtherPoints(points));
            Count = isLarge ? 512UL : 4UL;
            Inner.Map(0, Count);
            if (isLarge)
            {
                Space.TryWantHugePages(At(0), Pages(Count), wanted: true).ThrowIfError();
            }

            Nodes.WriteAll(0, 4);
            Assert.That(Inner.SizeAt(0), Is.EqualTo(isLarge ? PageSize.Large : PageSize.Small));
        }

        internal NodeRig Nodes { get; }

        internal SpaceRig Inner => Nodes.Rig;

        internal AddressSpace Space => Nodes.Space;

        internal ulong Count { get; }

        internal void Move() => _ = Nodes.TryBind(0, Count, PolicyMode.Bind, Of(Node1), Moving);

        internal bool IsValid()
        {
            Inner.Validate();
            isAtRest = true;
            return true;
        }

        // What a failed schedule leaves cannot be cleared away.
        internal void End()
        {
            if (isAtRest)
            {
                Nodes.Dispose();
            }
        }
    }

    // Without the points that are reached with a lock held, which another actor enters.
    private sealed class OtherPoints(IYieldPoints points) : IYieldPoints
    {
        private static readonly string[] Hidden = ["entry-taken", "invalidate", "end", "fork-unpinned"];

        public void Reach(string point)
        {
            if (!Hidden.Contains(point, StringComparer.Ordinal))
            {
                points.Reach(point);
            }
        }

        public void WaitUntil(string point, Func<bool> isReady) => points.WaitUntil(point, isReady);
    }
}
