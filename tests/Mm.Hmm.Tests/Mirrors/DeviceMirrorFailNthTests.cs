using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Each allocation, hand-out and copy of each operation fails once: nothing leaks, and nobody sees a stale byte.</summary>
public sealed class DeviceMirrorFailNthTests
{
    private const int Pages = 3;
    private const int MostCalls = 100; // of one point in one scenario: a loop without end is a bug

    private static readonly MirrorMemoryKind[] Kinds = [MirrorMemoryKind.Private, MirrorMemoryKind.Coherent];

    private static readonly LinuxProfile[] Profiles = [LinuxProfile.V612, LinuxProfile.V619];

    private static readonly FaultPoint[] Points =
        [FaultPoint.PageAlloc, FaultPoint.Slab, FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue];

    // What a page of private memory needs when a CPU touches it.
    private static readonly FaultPoint[] BringHome = [FaultPoint.PageAlloc, CopyFaults.Page, CopyFaults.Queue];

    // What is done while failures are planned, and which points it must have come to, at least.
    private static readonly Scenario[] Scenarios =
    [
        new("migrate to the device", Fill, ToDevice, [FaultPoint.PageAlloc, FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue]),
        new("migrate back", FillDevice, ToSystem, [FaultPoint.PageAlloc, CopyFaults.Page, CopyFaults.Queue]),
        new("read by the CPU", FillDevice, CpuRead, []) { Privately = BringHome },
        new("written by the CPU", FillDevice, CpuWrite, []) { Privately = BringHome },
        new("first touched by a migration", Leave, ToDevice,
            [FaultPoint.PageAlloc, FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue]),
        new("first written by the device", Leave, DeviceWrite, [FaultPoint.PageAlloc]),
        new("first read by the device", Leave, DeviceRead, [FaultPoint.PageAlloc]),
        new("read by another device", FillDevice, OtherReads, [FaultPoint.PageAlloc]) { Privately = BringHome },
        new("evict", FillDevice, Evict, [FaultPoint.PageAlloc, CopyFaults.Page, CopyFaults.Queue]),
        new("make exclusive", Fill, MakeExclusive, [FaultPoint.PageAlloc]),
        new("take back what is exclusive", FillExclusive, CpuWrite, []),
        new("fork", FillDevice, Fork, [FaultPoint.PageAlloc]),
        new("fork what is exclusive", FillExclusive, Fork, [FaultPoint.PageAlloc]),
        new("write after a fork", FillForked, CpuWrite, [FaultPoint.PageAlloc]),
        new("pin for long", FillDevice, PinForLong, [FaultPoint.PageAlloc]) { Privately = BringHome },
    ];

    [Test]
    public void Failure_OfEachCall_LeaksNothingAndShowsNoStaleByte(
        [ValueSource(nameof(Scenarios))] Scenario scenario,
        [ValueSource(nameof(Kinds))] MirrorMemoryKind kind,
        [ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        foreach (FaultPoint point in Points)
        {
            int failures = FailEach(scenario, kind, point, trustsDrivers: false, out string? stale, profile);
            Assert.That(stale, Is.Null, $"{point}");
            Assert.That(failures, scenario.Reaches(kind).Contains(point) ? Is.Positive : Is.GreaterThanOrEqualTo(0), $"{point} is come to");
        }
    }

    [TestCase("migrate to the device", MirrorMemoryKind.Private)]
    [TestCase("migrate to the device", MirrorMemoryKind.Coherent)]
    [TestCase("migrate back", MirrorMemoryKind.Private)]
    [TestCase("migrate back", MirrorMemoryKind.Coherent)]
    [TestCase("read by the CPU", MirrorMemoryKind.Private)]
    [TestCase("evict", MirrorMemoryKind.Private)]
    public void FailureOfACopy_WhereMigrationsTrustDrivers_ShowsStaleBytes(string name, MirrorMemoryKind kind)
    {
        Scenario scenario = Scenarios.Single(scenario => scenario.Name == name);
        _ = FailEach(scenario, kind, CopyFaults.Page, trustsDrivers: true, out string? stale);
        Assert.That(stale, Is.Not.Null, "museum 12 is caught");
    }

    // Fails the first call, the second, and so on until none is left to fail.
    private static int FailEach(
        Scenario scenario, MirrorMemoryKind kind, FaultPoint point, bool trustsDrivers, out string? stale, LinuxProfile? profile = null)
    {
        stale = null;
        for (int nth = 1; nth < MostCalls && stale is null; nth++)
        {
            using var rig = new MirrorRig(kind, deviceMiB: 2, hasOwnEngines: true, profile);
            using var run = new Run(rig);
            scenario.Prepare(run);
            rig.Machine.Faults.FailNth(point, (ulong)nth);
            rig.Machine.Spaces.TrustsUnwrittenPages = trustsDrivers;
            bool isDone = scenario.Act(run);
            bool hasFailed = rig.Machine.Faults.FailureCount(point) != 0;
            rig.Machine.Faults.Clear();
            rig.Machine.Validate();
            stale = run.FindStale();
            rig.Machine.Validate();
            if (!hasFailed)
            {
                Assert.That(isDone, Is.True, $"{scenario} does all when nothing fails");
                return nth - 1;
            }
        }

        Assert.That(stale, Is.Not.Null, $"{scenario}: no end after {MostCalls} failures at {point}");
        return 0;
    }

    private static void Fill(Run run) => run.Rig.Write(run.Range, run.Wanted = Words(Pages, first: 1));

    private static void FillDevice(Run run)
    {
        Fill(run);
        run.Rig.ToDevice(run.Range);
    }

    private static void FillExclusive(Run run)
    {
        Fill(run);
        run.Rig.Mirror.TryMakeExclusive(run.Range).ThrowIfError();
    }

    private static void FillForked(Run run)
    {
        FillDevice(run);
        run.Child = run.Rig.Fork();
        run.ChildWanted = [.. run.Wanted];
    }

    private static void Leave(Run run)
    {
        // Never touched: no page, no table.
    }

    private static bool ToDevice(Run run) =>
        run.Rig.Mirror.TryMigrateToDevice(run.Range, out PageCount moved).IsOk && moved.Value == Pages;

    private static bool ToSystem(Run run) =>
        run.Rig.Mirror.TryMigrateToSystem(run.Range, out PageCount moved).IsOk && moved.Value == Pages;

    private static bool CpuRead(Run run)
    {
        bool isDone = true;
        byte[] page = new byte[PageBytes];
        for (int index = 0; index < Pages; index++)
        {
            // A process either sees the right bytes or gets a signal.
            FaultResult result = run.Rig.Space.Read(Part(run.Range, index).Start, page);
            isDone &= result == FaultResult.Done;
            run.Note(index, page, result == FaultResult.Done);
        }

        return isDone;
    }

    private static bool CpuWrite(Run run)
    {
        bool isDone = true;
        for (int index = 0; index < Pages; index++)
        {
            byte[] eight = [9, 8, 7, 6, 5, 4, 3, 2];
            bool isWritten = run.Rig.Space.Write(Part(run.Range, index).Start, eight) == FaultResult.Done;
            isDone &= isWritten;
            if (isWritten)
            {
                eight.CopyTo(run.Wanted, index * PageBytes);
            }
        }

        return isDone;
    }

    private static bool DeviceWrite(Run run)
    {
        byte[] bytes = Words(Pages, first: 4);
        Errno errno = run.Rig.Mirror.TryWrite(run.Range, bytes, out MirrorTransfer done);
        bytes.AsSpan(0, (int)done.Pages.ToBytes().Value).CopyTo(run.Wanted);
        return errno.IsOk;
    }

    private static bool DeviceRead(Run run) => Read(run, run.Rig.Mirrors[0]);

    private static bool OtherReads(Run run) => Read(run, run.Rig.Mirrors[1]);

    private static bool Read(Run run, DeviceMirror mirror)
    {
        byte[] bytes = new byte[Pages * PageBytes];
        Errno errno = mirror.TryRead(run.Range, bytes, out MirrorTransfer done);
        for (int index = 0; index < (int)done.Pages.Value; index++)
        {
            run.Note(index, bytes.AsSpan(index * PageBytes, PageBytes), isSeen: true);
        }

        return errno.IsOk;
    }

    private static bool Evict(Run run) => run.Rig.Device.Evict().Value == Pages;

    private static bool MakeExclusive(Run run) => run.Rig.Mirror.TryMakeExclusive(run.Range).IsOk;

    private static bool Fork(Run run)
    {
        Errno errno = run.Rig.Space.TryFork(out AddressSpace? child);
        Assert.That(errno, Is.EqualTo(Errno.Ok).Or.EqualTo(Errno.ENOMEM));
        run.Child = child;
        run.ChildWanted = [.. run.Wanted];
        return errno.IsOk;
    }

    private static bool PinForLong(Run run)
    {
        var pins = new Core.Frames.PagePin[Pages];
        Errno errno = run.Rig.Space.TryPin(run.Range.Start, PinFlags.Write | PinFlags.LongTerm, pins, out int count);
        foreach (Core.Frames.PagePin pin in pins.AsSpan(0, count))
        {
            pin.Dispose();
        }

        return errno.IsOk && count == Pages;
    }

    /// <summary>One operation, what goes before it, and the points that it must come to.</summary>
    public sealed record Scenario
    {
        private readonly FaultPoint[] reaches;

        internal Scenario(string name, Action<Run> prepare, Func<Run, bool> act, FaultPoint[] reaches)
        {
            Name = name;
            Prepare = prepare;
            Act = act;
            this.reaches = reaches;
        }

        internal string Name { get; }

        internal Action<Run> Prepare { get; }

        internal Func<Run, bool> Act { get; }

        /// <summary>What it comes to besides when the memory is private.</summary>
        internal FaultPoint[] Privately { get; init; } = [];

        internal IEnumerable<FaultPoint> Reaches(MirrorMemoryKind kind) =>
            kind == MirrorMemoryKind.Private ? reaches.Concat(Privately) : reaches;

        public override string ToString() => Name;
    }

    internal sealed class Run : IDisposable
    {
        private string? stale;

        internal Run(MirrorRig rig)
        {
            Rig = rig;
            Range = rig.Map(Pages);
        }

        internal MirrorRig Rig { get; }

        internal VirtRange Range { get; }

        /// <summary>What the process must see.</summary>
        internal byte[] Wanted { get; set; } = new byte[Pages * PageBytes];

        internal AddressSpace? Child { get; set; }

        internal byte[] ChildWanted { get; set; } = [];

        /// <summary>Remembers the first page that somebody saw with wrong bytes.</summary>
        internal void Note(int page, ReadOnlySpan<byte> bytes, bool isSeen)
        {
            if (isSeen && !bytes.SequenceEqual(Wanted.AsSpan(page * PageBytes, PageBytes)))
            {
                stale ??= $"page {page} was seen with wrong bytes, {bytes[0]:x2} to {bytes[^1]:x2}";
            }
        }

        /// <summary>What is wrong with what device, process and child see now that nothing fails any more.</summary>
        internal string? FindStale()
        {
            byte[] bytes = new byte[PageBytes];
            for (int index = 0; index < Pages; index++)
            {
                bool isMapped = Rig.Mirror.TryReadMapped(Part(Range, index), bytes, out _).IsOk;
                Note(index, bytes, isMapped);
            }

            byte[] seen = Rig.Read(Range);
            stale ??= seen.AsSpan().SequenceEqual(Wanted) ? null : "the process sees wrong bytes";
            bool isChildRight = Child is null || MirrorRig.Read(Child, Range).AsSpan().SequenceEqual(ChildWanted);
            return stale ?? (isChildRight ? null : "the child sees wrong bytes");
        }

        public void Dispose() => Child?.Dispose();
    }
}
