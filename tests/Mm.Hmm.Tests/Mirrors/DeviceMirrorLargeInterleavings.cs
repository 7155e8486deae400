using Mm.Core;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>A page of 2 MiB leaves the device in one piece (v6.19), while CPUs and the kernel are at it in every order.</summary>
internal sealed class DeviceMirrorLargeInterleavings
{
    // Where a mover that goes by the reverse map stands with its family's gate held, which a fork enters.
    private static readonly string[] UnderFamilyGate = ["entry-taken", "invalidate", "end", "fork-unpinned"];

    // Each of 512 entries would be such a point: minutes, for orders that tests of small pages go through.
    private static readonly string[] OfEachEntry = ["entry-taken"];

    [Test]
    public void ForkAndEviction_InEveryOrder_KeepParentAndChildRight()
    {
        Explore(UnderFamilyGate, (rig, scenario) =>
        {
            VirtRange range = rig.MapLargeOnDevice(5);
            Pfn head = rig.EntryAt(range).Frame;
            _ = scenario
                .Actor("fork", () =>
                {
                    rig.Space.TryFork(out AddressSpace? child).ThrowIfError();
                    rig.Child = child;
                })
                .Actor("evict", () => rig.Evict(head, PageSize.Large))
                .Finally("both see the bytes", () => rig.Holds(range, 5) && RacingRig.Holds(rig.Child!, range, 5))
                .Finally("both have it in one piece", () => IsLeaf(rig.Space, range) && IsLeaf(rig.Child!, range))
                .Finally("the device has nothing", () => rig.Device.UsedPages.IsZero);
        });
    }

    [Test]
    public void EvictionAndCpuTouch_InEveryOrder_BringItHomeWhole()
    {
        Explore([], (rig, scenario) =>
        {
            VirtRange range = rig.MapLargeOnDevice(5);
            Pfn head = rig.EntryAt(range).Frame;
            FaultResult result = FaultResult.BusError;
            _ = scenario
                .Actor("evict", () => rig.Evict(head, PageSize.Large))
                .Actor("cpu", () => rig.Touch(MirrorRig.Part(range, 300), ended => result = ended))
                .Finally("the CPU got its page", () => result == FaultResult.Done && rig.Holds(range, 5))
                .Finally("it is in one piece", () => IsLeaf(rig.Space, range))
                .Finally("the device has nothing", () => rig.Device.UsedPages.IsZero);
        });
    }

    [Test]
    public void EvictionAndUnmappingOfAPart_InEveryOrder_KeepTheRest()
    {
        Explore(OfEachEntry, (rig, scenario) =>
        {
            VirtRange range = rig.MapLargeOnDevice(5);
            Pfn head = rig.EntryAt(range).Frame;
            VirtRange gone = MirrorRig.Part(range, 100, 200);
            _ = scenario
                .Actor("evict", () => rig.Evict(head, PageSize.Large))
                .Actor("unmap", () => rig.Space.TryUnmap(gone.Start, gone.Length).ThrowIfError())
                .Finally("the rest is resident", () => rig.Space.CountResident(RssKind.Anonymous).Value == 312)
                .Finally("and right", () => rig.Holds(MirrorRig.Part(range, 0, 100), 5) && rig.Holds(MirrorRig.Part(range, 300, 212), 5))
                .Finally("the device has nothing", () => rig.Device.UsedPages.IsZero);
        });
    }

    [Test]
    public void EvictionAndProtectionOfAPart_InEveryOrder_LeaveEntriesThatTheAreasAllow()
    {
        Explore(OfEachEntry, (rig, scenario) =>
        {
            VirtRange range = rig.MapLargeOnDevice(5);
            Pfn head = rig.EntryAt(range).Frame;
            VirtRange part = MirrorRig.Part(range, 100, 200);
            _ = scenario
                .Actor("evict", () => rig.Evict(head, PageSize.Large))
                .Actor("protect", () => rig.Space.TryProtect(part.Start, part.Length, AreaAccess.Read).ThrowIfError())
                .Finally("the part may not be written", () => !rig.EntryAt(part).IsWritable
                    && rig.Space.Write(part.Start, [6]) == FaultResult.SegmentationFault)
                .Finally("the rest may", () => rig.Space.Write(range.Start, [5]) == FaultResult.Done)
                .Finally("the bytes are there", () => rig.Holds(range, 5))
                .Finally("the device has nothing", () => rig.Device.UsedPages.IsZero);
        });
    }

    private static bool IsLeaf(AddressSpace space, VirtRange range) =>
        space.Tables.ReadLeaf(range.Start, out PageSize size).IsPresent && size == PageSize.Large;

    private static void Explore(string[] hidden, Action<RacingRig, Scenario> cast)
    {
        RacingRig? last = null;
        Exploration done = new Explorer { MaxInterruptions = 2 }.Explore(points =>
        {
            last?.Dispose();
            last = new RacingRig(points, hidden, LinuxProfile.V619);
            RacingRig rig = last;
            var scenario = new Scenario();
            cast(rig, scenario);
            return scenario.Finally("all counts add up", rig.IsValid); // the last outcome: all others held
        });
        last?.Dispose();
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(5));
    }
}
