using Mm.Core.Checks;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Faults against one another, and against what takes the memory away, in every order.</summary>
internal sealed class PageFaultsInterleavings
{
    [Test]
    public void TwoFaults_OfAFreshPage_BringOne([Values] bool isRead) => Explore(
        static rig => rig.Map(0, 1),
        (rig, scenario) => scenario
            .Actor("one", () => rig.Write(At(0), 1))
            .Actor("two", () => Touch(rig, isRead))
            .Finally("one page is there", () => rig.Resident() == 1)
            .Finally("both bytes are in it", () => rig.Read(0) == 1 && rig.Read(At(0, 1)) == (isRead ? 0 : 2)));

    [Test]
    public void TwoWrites_OfASharedPage_CopyItOnce() => Explore(
        static rig =>
        {
            rig.Map(0, 1);
            rig.Write(0, 9);
            _ = rig.Fork();
        },
        (rig, scenario) => scenario
            .Actor("one", () => rig.Write(At(0), 1))
            .Actor("two", () => rig.Write(At(0, 1), 2))
            .Finally("both bytes are in it", () => rig.Read(0) == 1 && rig.Read(At(0, 1)) == 2)
            .Finally("one page is there", () => rig.Resident() == 1));

    [Test]
    public void WritesOfParentAndChild_InEveryOrder_Part()
    {
        AddressSpace child = null!;
        Explore(
            rig =>
            {
                rig.Map(0, 1);
                rig.Write(0, 9);
                child = rig.Fork();
            },
            (rig, scenario) => scenario
                .Actor("parent", () => rig.Write(At(0), 1))
                .Actor("child", () => rig.Write(At(0), 2, child))
                .Finally("each sees its own", () => rig.Read(0) == 1 && rig.Read(0, child) == 2)
                .Finally("each has its own", () => rig.Entry(0).Frame != rig.Entry(0, child).Frame));
    }

    [Test]
    public void FaultAndTruncation_InEveryOrder_LeaveNoPageBeyondTheEnd(
        [Values(AreaKind.FilePrivate, AreaKind.FileShared)] AreaKind kind, [Values] bool isWrite)
    {
        MemoryFile file = null!;
        FaultResult result = default;
        Explore(
            rig =>
            {
                file = rig.CreateFile(2, fill: 7);
                rig.Map(0, 2, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = file });
            },
            (rig, scenario) => scenario
                .Actor("faulter", () => result = isWrite ? rig.Space.Write(At(1), [1]) : rig.Space.Read(At(1), new byte[1]))
                .Actor("truncater", () => file.TryResize(Pages(1)).ThrowIfError())
                .Finally("it is done or a bus error", () => result is FaultResult.Done or FaultResult.BusError)
                .Finally("no entry shows what is gone", () => rig.Entry(1).IsNone)
                .Finally("the page is gone", () => file.PagesInMemory.Value == 1)
                .Finally("the next touch is a bus error", () => rig.Space.Read(At(1), new byte[1]) == FaultResult.BusError));
    }

    [Test]
    public void WriteAndDrop_InEveryOrder_LoseAllOrNothing() => Explore(
        static rig =>
        {
            rig.Map(0, 1);
            Assert.That(rig.Read(0), Is.Zero);
        },
        static (rig, scenario) => scenario
            .Actor("writer", () => rig.Write(0, 1))
            .Actor("dropper", () => rig.Space.TryDropPages(At(0), Pages(1)).ThrowIfError())
            .Finally("it reads as written or as zeros", () => rig.Read(0) == (rig.Resident() == 1 ? 1 : 0)));

    [Test]
    public void WriteAndMove_InEveryOrder_FindTheByteAtTheNewPlace() => Explore(
        static rig => rig.Map(0, 1),
        static (rig, scenario) =>
        {
            FaultResult result = default;
            var move = new AreaMove(At(0), Pages(1), Pages(1)) { MayMove = true, To = At(8) };
            _ = scenario
                .Actor("writer", () => result = rig.Space.Write(At(0), [1]))
                .Actor("mover", () => rig.Space.TryMove(move, out _).ThrowIfError())
                .Finally("it was written, or too late", () => rig.Read(8) == (result == FaultResult.Done ? 1 : 0));
        });

    private static void Touch(SpaceRig rig, bool isRead)
    {
        if (isRead)
        {
            Assert.That(rig.Read(0), Is.EqualTo(0).Or.EqualTo(1));
        }
        else
        {
            rig.Write(At(0, 1), 2);
        }
    }

    private static void Explore(Action<SpaceRig> setUp, Action<SpaceRig, Scenario> cast)
    {
        Exploration done = new Explorer { MaxInterruptions = 3 }.Explore(points => Play(points, setUp, cast));
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(1));
    }

    private static Scenario Play(IYieldPoints points, Action<SpaceRig> setUp, Action<SpaceRig, Scenario> cast)
    {
        var rig = new SpaceRig(points, ramMiB: 4);
        setUp(rig);
        var scenario = new Scenario();
        cast(rig, scenario);
        return scenario.Finally("nothing is left", () =>
        {
            rig.Dispose();
            return true;
        });
    }
}
