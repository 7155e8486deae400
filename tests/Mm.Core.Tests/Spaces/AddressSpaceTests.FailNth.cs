using Mm.Core.Frames;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

public sealed partial class AddressSpaceTests
{
    private static readonly string[] Operations =
        ["create", "map-shared", "fault", "cow", "fault-file", "fault-large", "fork", "fork-pinned", "move", "grow", "pin", "unpinnable", "populate"];

    private static readonly FaultPoint[] Points = [FaultPoint.PageAlloc, FaultPoint.Slab];

    [Test]
    public void EveryAllocation_OfAnOperationThatFails_LeavesNothingAndMayBeTriedAgain(
        [ValueSource(nameof(Operations))] string name, [Values(0, 1)] int point)
    {
        ulong nth = 0;
        ulong failures;
        do
        {
            nth++;
            using var fresh = new SpaceRig(shape: static builder => builder.WithMovableZone(new NodeId(0), ByteCount.FromMiB(4)));
            Func<bool> operation = Prepare(fresh, name);
            (ulong Free, string Areas) before = StateOf(fresh);
            fresh.Machine.Faults.FailNth(Points[point], nth);
            bool isDone = operation();
            failures = fresh.Machine.Faults.FailureCount(Points[point]);
            fresh.Machine.Faults.Clear();
            fresh.Validate();
            Assert.That(fresh.Space.Lock.IsHeld, Is.False);
            Assert.That(isDone || failures != 0, Is.True, $"{name} fails only when made to");
            if (!isDone)
            {
                Assert.That(StateOf(fresh), Is.EqualTo(before), $"{name} after failure {nth}");
                Assert.That(operation(), Is.True, $"{name} after failure {nth}, again");
            }

            Assert.That((fresh.Read(0), fresh.Read(1)), Is.EqualTo(((byte)1, (byte)2)).Or.EqualTo(((byte)3, (byte)2)));
        }
        while (failures != 0);
    }

    private static (ulong Free, string Areas) StateOf(SpaceRig rig) => (rig.Free, string.Join(' ', rig.Space.Areas.Select(static area => area.Range)));

    // Pages 0 and 1 read 1 and 2. What is prepared says whether it was done.
    private static Func<bool> Prepare(SpaceRig rig, string name)
    {
        rig.Map(0, 2);
        rig.Write(0, 1);
        rig.Write(1, 2);
        MemoryFile file = rig.CreateFile(4);
        switch (name)
        {
            case "create":
                return () => rig.Spaces.TryCreate(out AddressSpace? space).IsOk && rig.Keep(space!) is not null;
            case "map-shared":
                var shared = new AreaTraits(AreaKind.AnonymousShared, AreaAccess.ReadWrite);
                return () => rig.Space.TryMap(new AreaRequest(Pages(2), shared) { At = At(1024), Placement = AreaPlacement.Fixed }, out _).IsOk;
            case "fault":
                rig.Map(1UL << 20, 1);
                return () => rig.Space.Write(At(1UL << 20), [1]) == FaultResult.Done;
            case "cow":
                _ = rig.Fork();
                return () => rig.Space.Write(At(0), [3]) == FaultResult.Done;
            case "fault-file":
                rig.Map(8, 2, new AreaTraits(AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file });
                return () => rig.Space.Write(At(8), [1]) == FaultResult.Done;
            case "fault-large":
                rig.Map(512, 512, Own with { WantsHugePages = true });
                return () => rig.Space.Write(At(600), [1]) == FaultResult.Done;
            case "fork":
                return () => rig.Space.TryFork(out AddressSpace? child).IsOk && rig.Keep(child!) is not null;
            default:
                return PrepareMore(rig, name);
        }
    }

    private static Func<bool> PrepareMore(SpaceRig rig, string name)
    {
        switch (name)
        {
            case "fork-pinned":
                PagePin pin = rig.Pin(0, PinFlags.Write);
                return () =>
                {
                    bool isDone = rig.Space.TryFork(out AddressSpace? child).IsOk;
                    if (isDone)
                    {
                        _ = rig.Keep(child!);
                        pin.Dispose();
                    }

                    return isDone;
                };
            case "move":
            case "grow":
                rig.Map(8, 2);
                rig.Write(9, 4);
                ulong size = name == "grow" ? 3UL : 2UL;
                var move = new AreaMove(At(8), Pages(2), Pages(size)) { MayMove = true, To = At(1UL << 20) };
                return () => rig.Space.TryMove(move, out _).IsOk && rig.Read((1UL << 20) + 1) == 4;
            case "pin":
                rig.Map(1UL << 20, 2);
                return () => PinAndPut(rig, 1UL << 20, PinFlags.Write);
            case "unpinnable":
                return () => PinAndPut(rig, 0, PinFlags.Write | PinFlags.LongTerm);
            default:
                rig.Map(1UL << 20, 1);
                return () => rig.Space.TryPopulateWrite(At(1UL << 20), Pages(1)).IsOk;
        }
    }

    // Of two pages; fewer is a failure that gives them back.
    private static bool PinAndPut(SpaceRig rig, ulong page, PinFlags flags)
    {
        var pins = new PagePin[2];
        Errno errno = rig.Space.TryPin(At(page), flags, pins, out int count);
        Array.ForEach(pins, static pin => pin.Dispose());
        if (errno.IsOk && count < 2)
        {
            Assert.That(rig.Space.TryDropPages(At(page), Pages(2)), Is.EqualTo(Errno.Ok)); // as it was
        }

        return errno.IsOk && count == 2;
    }
}
