using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>
/// Pages of 2 MiB that v6.19 moves whole: each allocation, hand-out and copy of each operation fails, once or from then on.
/// Nothing leaks, nobody sees a stale byte, and a process sees its bytes or gets a signal.
/// </summary>
public sealed class DeviceMirrorLargeFailNthTests
{
    private const int Pages = LargePageRun.Pages;
    private const ulong MostCalls = 3000; // of one point in one scenario: a loop without end is a bug

    private static readonly FaultPoint[] Points =
        [FaultPoint.PageAlloc, FaultPoint.Slab, FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue];

    private static readonly FaultPoint[] Out = [FaultPoint.PageAlloc, FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue];

    private static readonly FaultPoint[] Home = [FaultPoint.PageAlloc, CopyFaults.Page, CopyFaults.Queue];

    private static readonly FaultPoint[] Tables = [FaultPoint.PageAlloc];

    // What is done while failures are planned, and which points it must have come to, at least.
    private static readonly Scenario[] Scenarios =
    [
        new("migrate to the device", run => run.Write(), ToDevice, Out),
        new("migrate where the device has no 2 MiB", FillFragmented, ToDevice, Out) { DeviceMiB = 4 },
        new("migrate back", FillDevice, ToSystem, Home),
        new("migrate back where RAM has no 2 MiB", FillShattered, ToSystem, Home),
        new("one page read by the CPU", FillDevice, run => run.TryRead(run.Parent, 300, 1), Home),
        new("all read by the CPU where RAM has no 2 MiB", FillShattered, run => run.TryRead(run.Parent, 0, Pages), Home),
        new("one page read by the CPU where RAM has no 2 MiB", FillShattered, run => run.TryRead(run.Parent, 300, 1), Home),
        new("one page written by the CPU", FillDevice, run => run.TryWrite(run.Parent, 300, 1), Home),
        new("first touched by a migration", _ => { }, ToDevice, Out),
        new("zeros, migrated", ReadZeros, ToDevice, Out),
        new("zeros, migrated where the device has no 2 MiB", FillZerosFragmented, ToDevice, Out) { DeviceMiB = 4 },
        new("migrate what is mapped page by page", FillProtected, ToDevice, Out),
        new("migrate what a child maps too", FillForkedRam, ToDevice, Out),
        new("migrate what is there in part", FillMixed, ToDeviceAll, [FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue]),
        new("first written by the device", _ => { }, run => run.TryWriteByDevice(), [FaultPoint.PageAlloc]),
        new("read by another device", FillDevice, run => run.TryReadBy(run.Rig.Mirrors[1]), Home),
        new("evict", FillDevice, Evict, Home),
        new("evict where RAM has no 2 MiB", FillShattered, Evict, Home),
        new("evict what a child maps too", FillForked, Evict, Home),
        new("evict what is mapped in part", FillUnmapped, EvictSome, Home),
        new("evict what the parent has unmapped in part", FillForkedUnmapped, EvictSome, Home),
        new("fork", FillDevice, run => run.TryFork(), Tables),
        new("read after a fork", FillForked, run => run.TryRead(run.Parent, 300, 1), Home),
        new("written by the parent after a fork", FillForked, run => run.TryWrite(run.Parent, 300, 2), Home),
        new("written by the child after a fork", FillForked, run => run.TryWrite(run.Child!, 300, 2), Home),
        new("fork, then the child unmaps a part", FillDevice, ForkAndUnmap, Tables),
        new("unmap the middle", FillDevice, run => run.TryUnmap(run.Parent, 100, 200), []),
        new("unmap the middle and read the rest", FillDevice, UnmapAndRead, Home),
        new("migrate back what is mapped in part", FillUnmapped, ToSystemSome, Home),
        new("protect the middle", FillDevice, Protect, []),
        new("protect the middle and read", FillDevice, run => Protect(run) && run.TryRead(run.Parent, 0, Pages), Home),
        new("drop the middle and read", FillDevice, run => run.TryDrop(100, 200) && run.TryRead(run.Parent, 0, Pages), Home),
        new("move a part elsewhere and read", FillDevice, run => run.TryMove(0, 256) && run.TryRead(run.Parent, 0, Pages), Home),
        new("move all off a boundary and read", FillDevice, run => run.TryMove(0, Pages) && run.TryRead(run.Parent, 0, Pages), Home),
        new("evict what was moved", FillMoved, Evict, Home),
        new("evict what was moved off a boundary", FillMovedOff, Evict, Home),
        new("pin for long", FillDevice, PinForLong, Home),
    ];

    [Test]
    public void Failure_OfEachCall_LeaksNothingAndShowsNoStaleByte(
        [ValueSource(nameof(Scenarios))] Scenario scenario, [Values] bool goesOn) =>
        FailEach(scenario, goesOn, withoutGaps: false);

    [Test]
    [Explicit("minutes long")]
    public void Failure_OfEachCallWithoutAGap_LeaksNothingAndShowsNoStaleByte([ValueSource(nameof(Scenarios))] Scenario scenario) =>
        FailEach(scenario, goesOn: false, withoutGaps: true);

    [TestCase("migrate to the device")]
    [TestCase("migrate back")]
    [TestCase("one page read by the CPU")]
    public void FailureOfACopy_WhereMigrationsTrustDrivers_ShowsStaleBytes(string name)
    {
        Scenario scenario = Scenarios.Single(scenario => scenario.Name == name);
        using var run = new LargePageRun(scenario.DeviceMiB);
        scenario.Prepare(run);
        run.Rig.Machine.Spaces.TrustsUnwrittenPages = true;
        run.Rig.Machine.Faults.FailNth(CopyFaults.Page, 1);
        _ = scenario.Act(run);
        Assert.That(run.FindStale(), Is.Not.Null, "museum 12 is caught");
    }

    private static void FailEach(Scenario scenario, bool goesOn, bool withoutGaps)
    {
        foreach (FaultPoint point in Points)
        {
            ulong failures = FailEach(scenario, point, goesOn, withoutGaps);
            bool mustFail = scenario.Reaches.Contains(point);
            Assert.That(failures, mustFail ? Is.Positive : Is.GreaterThanOrEqualTo(0UL), $"{point} is come to");
        }
    }

    // Fails the first call, the second, and so on until none is left to fail; with gaps, of many that are alike ever fewer.
    private static ulong FailEach(Scenario scenario, FaultPoint point, bool goesOn, bool withoutGaps)
    {
        ulong last = 0;
        for (ulong nth = 1; nth < MostCalls; nth += withoutGaps || nth < 4 ? 1 : nth)
        {
            using var run = new LargePageRun(scenario.DeviceMiB);
            scenario.Prepare(run);
            FaultInjector faults = run.Rig.Machine.Faults;
            faults.FailNth(point, nth, goesOn ? ulong.MaxValue : 1);
            bool isDone = scenario.Act(run);
            bool hasFailed = faults.FailureCount(point) != 0;
            faults.Clear();
            run.Rig.Machine.Validate();
            Assert.That(run.FindStale(), Is.Null, $"{point}, call {nth}");
            run.Rig.Machine.Validate();
            run.MoveAgain();
            run.Rig.Machine.Validate();
            Assert.That(run.FindStale(), Is.Null, $"{point}, call {nth}, moved again");
            if (!hasFailed)
            {
                Assert.That(isDone, Is.True, $"{scenario} does all when nothing fails");
                return last;
            }

            last = nth;
        }

        Assert.Fail($"{scenario}: no end after {MostCalls} failures at {point}");
        return 0;
    }

    private static void FillDevice(LargePageRun run)
    {
        run.Write();
        run.Rig.ToDevice(run.Range);
        Assert.That(run.IsLeaf(), Is.True, "it moved whole");
    }

    // One page of each 2 MiB of the device is taken: by pages of another range, which come there one by one.
    private static void FillFragmented(LargePageRun run)
    {
        Fragment(run);
        run.Write();
    }

    private static void Fragment(LargePageRun run)
    {
        VirtRange other = run.Rig.MapFilled(Pages + 1);
        run.Rig.ToDevice(other);
        Assert.That(run.Rig.Mirror.TryMigrateToSystem(Part(other, 1, Pages - 1), out _), Is.EqualTo(Errno.Ok));
        Assert.That(run.Rig.Device.UsedPages.Value, Is.EqualTo(2UL));
    }

    private static void FillShattered(LargePageRun run)
    {
        FillDevice(run);
        run.ShatterRam();
    }

    private static void FillForked(LargePageRun run)
    {
        FillDevice(run);
        Assert.That(run.TryFork(), Is.True);
    }

    private static void FillUnmapped(LargePageRun run)
    {
        FillDevice(run);
        Assert.That(run.TryUnmap(run.Parent, 100, 200), Is.True);
    }

    private static void ReadZeros(LargePageRun run)
    {
        Assert.That(run.TryRead(run.Parent, 0, 1), Is.True);
        Assert.That(run.IsLeaf(), Is.True, "the large page of zeros");
    }

    private static void FillZerosFragmented(LargePageRun run)
    {
        Fragment(run);
        ReadZeros(run);
    }

    private static void FillProtected(LargePageRun run)
    {
        run.Write();
        Assert.That(Protect(run), Is.True);
        run.Rig.Space.TryProtect(run.At(100), new PageCount(200).ToBytes(), AreaAccess.ReadWrite).ThrowIfError();
    }

    private static void FillForkedRam(LargePageRun run)
    {
        run.Write();
        Assert.That(run.TryFork(), Is.True);
    }

    // A page of the middle is in RAM, the others are on the device, mapped one by one.
    private static void FillMixed(LargePageRun run)
    {
        FillProtectedDevice(run);
        Assert.That(run.TryWrite(run.Parent, 300, 3), Is.True);
    }

    private static void FillProtectedDevice(LargePageRun run)
    {
        FillDevice(run);
        Assert.That(Protect(run), Is.True);
    }

    private static void FillForkedUnmapped(LargePageRun run)
    {
        FillForked(run);
        Assert.That(run.TryUnmap(run.Parent, 0, 200), Is.True);
    }

    private static void FillMoved(LargePageRun run)
    {
        FillDevice(run);
        Assert.That(run.TryMove(0, Pages, isAligned: true), Is.True);
    }

    private static void FillMovedOff(LargePageRun run)
    {
        FillDevice(run);
        Assert.That(run.TryMove(0, Pages), Is.True);
    }

    private static bool ToDevice(LargePageRun run) =>
        run.Rig.Mirror.TryMigrateToDevice(run.Range, out PageCount moved).IsOk && moved.Value == Pages;

    private static bool ToDeviceAll(LargePageRun run)
    {
        bool isDone = run.Rig.Mirror.TryMigrateToDevice(run.Range, out _).IsOk;
        return isDone && run.Rig.Device.UsedPages.Value == Pages;
    }

    private static bool ToSystem(LargePageRun run) =>
        run.Rig.Mirror.TryMigrateToSystem(run.Range, out PageCount moved).IsOk && moved.Value == Pages;

    private static bool ToSystemSome(LargePageRun run) =>
        run.Rig.Mirror.TryMigrateToSystem(Part(run.Range, 0, 100), out PageCount below).IsOk
        && run.Rig.Mirror.TryMigrateToSystem(Part(run.Range, 300, Pages - 300), out PageCount above).IsOk
        && below.Value + above.Value == Pages - 200;

    private static bool Evict(LargePageRun run) => run.Rig.Device.Evict().Value == Pages;

    private static bool EvictSome(LargePageRun run)
    {
        _ = run.Rig.Device.Evict();
        return run.Rig.Device.UsedPages == PageCount.Zero;
    }

    private static bool ForkAndUnmap(LargePageRun run) => run.TryFork() && run.TryUnmap(run.Child!, 100, 200);

    private static bool UnmapAndRead(LargePageRun run) =>
        run.TryUnmap(run.Parent, 100, 200) && run.TryRead(run.Parent, 0, 100) && run.TryRead(run.Parent, 300, Pages - 300);

    private static bool Protect(LargePageRun run) =>
        run.Rig.Space.TryProtect(run.At(100), new PageCount(200).ToBytes(), AreaAccess.Read).IsOk;

    private static bool PinForLong(LargePageRun run)
    {
        var pins = new PagePin[Pages];
        Errno errno = run.Rig.Space.TryPin(run.Range.Start, PinFlags.Write | PinFlags.LongTerm, pins, out int count);
        foreach (PagePin pin in pins.AsSpan(0, count))
        {
            pin.Dispose();
        }

        return errno.IsOk && count == Pages;
    }

    /// <summary>One operation, what goes before it, and the points that it must come to.</summary>
    public sealed record Scenario
    {
        internal Scenario(string name, Action<LargePageRun> prepare, Func<LargePageRun, bool> act, FaultPoint[] reaches) =>
            (Name, Prepare, Act, Reaches) = (name, prepare, act, reaches);

        internal string Name { get; }

        internal Action<LargePageRun> Prepare { get; }

        internal Func<LargePageRun, bool> Act { get; }

        internal FaultPoint[] Reaches { get; }

        internal ulong DeviceMiB { get; init; } = 2;

        public override string ToString() => Name;
    }
}
