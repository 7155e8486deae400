using Mm.Core;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;
using Mm.Testing.Interleavings;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>CPU, device and kernel at one page in every order that their yield points allow.</summary>
internal sealed class DeviceMirrorInterleavings
{
    // Where a mover that goes by the reverse map stands with its family's gate held, which a fork enters.
    private static readonly string[] UnderFamilyGate = ["entry-taken", "invalidate", "end", "fork-unpinned"];

    [TestCase(2, 3)]
    [TestCase(3, 2)]
    public void ThreadsThatFaultOnOnePrivatePage_InEveryOrder_AllEndWithThePageInRamOnce(int threads, int interruptions)
    {
        Exploration done = Explore(interruptions, (rig, scenario) => FaultTogether(rig, scenario, threads)).ThrowIfFailed();
        Assert.That(done.Schedules, Is.GreaterThan(10));
    }

    [Test]
    public void ThreadsThatFaultOnOnePrivatePage_WhereFaultsShareReferences_KeepOneAnotherFromMovingIt()
    {
        Exploration done = Explore(interruptions: 2, maxSteps: 2_000, cast: (rig, scenario) =>
        {
            rig.Spaces.FaultsShareReferences = true;
            FaultTogether(rig, scenario, threads: 2);
        });
        Assert.That(done.Failure, Is.Not.Null, "museum 8 is caught");
        Assert.That(done.Failure!.Kind, Is.EqualTo(FailureKind.Endless), done.Failure.Message);
    }

    // Whoever has the page's lock needs the CPU that the other thread will not give up, unless it waits: once the first is
    // interrupted, the schedule prefers the one that spins.
    [Test]
    public void ThreadsThatFaultOnOnePrivatePage_WhereTheOneThatFindsItLockedSpins_StarveItsHolder()
    {
        Exploration done = Explore(interruptions: 1, maxSteps: 2_000, cast: (rig, scenario) =>
        {
            rig.Spaces.FaultsSpinOnLocks = true;
            FaultTogether(rig, scenario, threads: 2);
        });
        Assert.That(done.Failure, Is.Not.Null, "museum 9 is caught");
        Assert.That(done.Failure!.Kind, Is.EqualTo(FailureKind.Endless), done.Failure.Message);
    }

    [Test]
    public void CpuWriteAndMigrationOfAHole_InEveryOrder_LeaveOnePageAndTheCpusByte()
    {
        var ends = new HashSet<string>(StringComparer.Ordinal);
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.Map(1);
            PageCount moved = default;
            bool isHoleFilled = false;
            _ = scenario
                .Actor("cpu", () => Assert.That(rig.Space.Write(range.Start, [7]), Is.EqualTo(FaultResult.Done)))
                .Actor("device", () => rig.Mirror.TryMigrateToDevice(
                    range, out moved, (_, reason) => isHoleFilled = reason == Hmm.Migration.StayReason.HoleFilled).ThrowIfError())
                .Finally("one page is resident", () => rig.Space.CountResident(RssKind.Anonymous) == PageCount.One)
                .Finally("the device has it, or has freed its own", () =>
                {
                    _ = ends.Add(isHoleFilled ? "the CPU was faster" : moved.IsZero ? "stayed" : "the device was faster");
                    return rig.Device.UsedPages.Value == (rig.EntryAt(range).IsDevicePrivate ? 1UL : 0UL);
                })
                .Finally("the CPU's byte is there", () => Read(rig.Space, range)[0] == 7);
        }).ThrowIfFailed();
        Assert.That(ends, Is.SupersetOf(new[] { "the CPU was faster", "the device was faster" }), "the schedules cover both ends");
    }

    [Test]
    public void ForkAndMigration_InEveryOrder_KeepParentAndChildRight([Values] bool toDevice)
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(2, 5, isOnDevice: !toDevice);
            _ = scenario
                .Actor("fork", () => Fork(rig))
                .Actor("device", () => Migrate(rig, range, toDevice))
                .Finally("both see the bytes", () => rig.Holds(range, 5) && RacingRig.Holds(rig.Child!, range, 5))
                .Finally("they are apart", () => Part(rig, range));
        }).ThrowIfFailed();
    }

    [Test]
    public void ForkAndEviction_InEveryOrder_KeepParentAndChildRight()
    {
        Explore(interruptions: 3, hidden: UnderFamilyGate, cast: (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: true);
            Pfn page = rig.EntryAt(range).Frame;
            _ = scenario
                .Actor("fork", () => Fork(rig))
                .Actor("evict", () => rig.Evict(page))
                .Finally("both see the bytes", () => rig.Holds(range, 5) && RacingRig.Holds(rig.Child!, range, 5))
                .Finally("they are apart", () => Part(rig, range))
                .Finally("the device has nothing", () => rig.Device.UsedPages.IsZero);
        }).ThrowIfFailed();
    }

    [Test]
    public void EvictionCpuWriteAndUnmap_InEveryOrder_LeaveNothing()
    {
        Explore(interruptions: 2, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: true);
            Pfn page = rig.EntryAt(range).Frame;
            _ = scenario
                .Actor("evict", () => rig.Evict(page))
                .Actor("cpu", () => Assert.That(
                    rig.Space.Write(range.Start, [6]), Is.EqualTo(FaultResult.Done).Or.EqualTo(FaultResult.SegmentationFault)))
                .Actor("unmap", () => rig.Space.TryUnmap(range.Start, range.Length).ThrowIfError())
                .Finally("no page of the device is left", () => rig.Device.UsedPages.IsZero)
                .Finally("no page is resident", () => rig.Space.CountResident(RssKind.Anonymous).IsZero);
        }).ThrowIfFailed();
    }

    [Test]
    public void EvictionAndProtection_InEveryOrder_LeaveAnEntryThatTheAreaAllows()
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: true);
            Pfn page = rig.EntryAt(range).Frame;
            _ = scenario
                .Actor("evict", () => rig.Evict(page))
                .Actor("protect", () => rig.Space.TryProtect(range.Start, range.Length, AreaAccess.Read).ThrowIfError())
                .Finally("nothing may be written", () => !rig.EntryAt(range).IsWritable
                    && rig.Space.Write(range.Start, [6]) == FaultResult.SegmentationFault)
                .Finally("the bytes are there", () => rig.Holds(range, 5));
        }).ThrowIfFailed();
    }

    [Test]
    public void PageMapDeathAndCpuFault_InEveryOrder_BringThePageHomeAndTheMapDies()
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: true);
            FaultResult result = FaultResult.BusError;
            _ = scenario
                .Actor("cpu", () => rig.Touch(range, ended => result = ended))
                .Actor("other-cpu", () => rig.Touch(range, _ => { }))
                .Actor("unplug", rig.Device.Dispose)
                .Finally("the CPU got its page", () => result == FaultResult.Done && rig.Holds(range, 5))
                .Finally("the map is dead", () => rig.Device.Memory.State == PagemapState.Dead);
        }).ThrowIfFailed();
    }

    [Test]
    public void DeviceReadAndUnmap_InEveryOrder_EndRightOrInEfault()
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(2, 5, isOnDevice: false);
            VirtRange half = MirrorRig.Part(range, 1);
            byte[] bytes = new byte[2 * PageBytes];
            MirrorTransfer done = default;
            Errno errno = default;
            _ = scenario
                .Actor("device", () => errno = rig.Mirror.TryRead(range, bytes, out done))
                .Actor("unmap", () => rig.Space.TryUnmap(half.Start, half.Length).ThrowIfError())
                .Finally("it read what was there", () => (errno.IsOk ? done.Pages.Value == 2 : errno == Errno.EFAULT)
                    && !bytes.AsSpan(0, (int)done.Pages.ToBytes().Value).ContainsAnyExcept((byte)5))
                .Finally("it maps nothing that is gone", () => rig.Mirror.MappedPages.Value <= 1);
        }).ThrowIfFailed();
    }

    [Test]
    public void DeviceWriteAndFork_InEveryOrder_NeverReachTheChildAfterwards()
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: false);
            byte inherited = 0;
            _ = scenario
                .Actor("device", () => rig.Mirror.TryWrite(range, RacingRig.Bytes(1, 6), out _).ThrowIfError())
                .Actor("fork", () =>
                {
                    Fork(rig);
                    inherited = Read(rig.Child!, range)[0];
                })
                .Finally("the device's bytes are the parent's", () => rig.Holds(range, 6))
                .Finally("the child keeps what it inherited", () => inherited is 5 or 6 && RacingRig.Holds(rig.Child!, range, inherited))
                .Finally("a later write does not reach it", () => rig.Mirror.TryWrite(range, RacingRig.Bytes(1, 9), out _).IsOk
                    && RacingRig.Holds(rig.Child!, range, inherited) && rig.Holds(range, 9));
        }).ThrowIfFailed();
    }

    [Test]
    public void ExclusiveAccessAndCpuWrite_InEveryOrder_AgreeOnWhoseThePageIs()
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: false);
            _ = scenario
                .Actor("device", () => rig.Mirror.TryMakeExclusive(range).ThrowIfError())
                .Actor("cpu", () => Assert.That(rig.Space.Write(range.Start, [6]), Is.EqualTo(FaultResult.Done)))
                .Finally("who has no exclusive entry has no exclusive page", () =>
                    rig.EntryAt(range).IsDeviceExclusive == (rig.Mirror.CheckExclusive(range) == Errno.EPERM))
                .Finally("the CPU's byte is there", () => Read(rig.Space, range)[0] == 6)
                .Finally("the CPU has it", () => rig.Mirror.CheckExclusive(range).IsOk);
        }).ThrowIfFailed();
    }

    [Test]
    public void DeviceReadAndMigration_InEveryOrder_LeaveNoMappingOfTheOldPage()
    {
        Explore(interruptions: 3, (rig, scenario) =>
        {
            VirtRange range = rig.MapFilled(1, 5, isOnDevice: true);
            _ = scenario
                .Actor("device", () => _ = DeviceRead(rig.Mirror, range))
                .Actor("cpu", () => Assert.That(rig.Space.Write(range.Start, [6]), Is.EqualTo(FaultResult.Done)))
                .Finally("the device sees what the CPU wrote", () => DeviceRead(rig.Mirror, range)[0] == 6);
        }).ThrowIfFailed();
    }

    private static void FaultTogether(RacingRig rig, Scenario scenario, int threads)
    {
        VirtRange range = rig.MapFilled(1, 5, isOnDevice: true);
        var results = new List<FaultResult>();
        for (int thread = 0; thread < threads; thread++)
        {
            _ = scenario.Actor($"cpu{thread}", () => rig.Touch(range, results.Add));
        }

        _ = scenario
            .Finally("all were served", () => results.Count == threads && results.TrueForAll(result => result == FaultResult.Done))
            .Finally("the page is in RAM once", () => rig.EntryAt(range).IsPresent && rig.Device.UsedPages.IsZero
                && rig.Space.CountResident(RssKind.Anonymous) == PageCount.One)
            .Finally("its bytes are right", () => rig.Holds(range, 5));
    }

    private static void Fork(RacingRig rig)
    {
        rig.Space.TryFork(out AddressSpace? child).ThrowIfError();
        rig.Child = child;
    }

    private static void Migrate(RacingRig rig, VirtRange range, bool toDevice) =>
        (toDevice ? rig.Mirror.TryMigrateToDevice(range, out _) : rig.Mirror.TryMigrateToSystem(range, out _)).ThrowIfError();

    private static bool Part(RacingRig rig, VirtRange range)
    {
        int pages = PagesOf(range);
        Write(rig.Space, range, RacingRig.Bytes(pages, 8));
        Write(rig.Child!, range, RacingRig.Bytes(pages, 9));
        return rig.Holds(range, 8) && RacingRig.Holds(rig.Child!, range, 9);
    }

    private static Exploration Explore(
        int interruptions, Action<RacingRig, Scenario> cast, int maxSteps = 10_000, string[]? hidden = null)
    {
        RacingRig? last = null;
        Exploration done = new Explorer { MaxInterruptions = interruptions, MaxSteps = maxSteps }.Explore(points =>
        {
            last?.Dispose();
            last = new RacingRig(points, hidden ?? []);
            RacingRig rig = last;
            var scenario = new Scenario();
            cast(rig, scenario);
            return scenario.Finally("all counts add up", rig.IsValid); // the last outcome: all others held
        });
        last?.Dispose();
        return done;
    }
}
