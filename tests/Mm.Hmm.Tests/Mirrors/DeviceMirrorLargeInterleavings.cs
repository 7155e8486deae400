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
        Explore(UnderFamilyGate, (rig, range, scenario) =>
        {
            _ = scenario
                .Actor("fork", () =>
                {
                    rig.Space.TryFork(out AddressSpace? child).ThrowIfError();
                    rig.Child = child;
                })
                .Finally("both see the bytes", () => rig.Holds(range, 5) && RacingRig.Holds(rig.Child!, range, 5))
                .Finally("both have it in one piece", () => MirrorRig.IsRamLeaf(rig.Space, range) && MirrorRig.IsRamLeaf(rig.Child!, range));
        });
    }

    [Test]
    public void EvictionAndCpuTouch_InEveryOrder_BringItHomeWhole()
    {
        Explore([], (rig, range, scenario) =>
        {
            FaultResult result = FaultResult.BusError;
            _ = scenario
                .Actor("cpu", () => rig.Touch(MirrorRig.Part(range, 300), ended => result = ended))
                .Finally("the CPU got its page", () => result == FaultResult.Done && rig.Holds(range, 5))
                .Finally("it is in one piece", () => MirrorRig.IsRamLeaf(rig.Space, range));
        });
    }

    [Test]
    public void EvictionAndUnmappingOfAPart_InEveryOrder_KeepTheRest()
    {
        Explore(OfEachEntry, (rig, range, scenario) =>
        {
            VirtRange gone = MirrorRig.Part(range, 100, 200);
            _ = scenario
                .Actor("unmap", () => rig.Space.TryUnmap(gone.Start, gone.Length).ThrowIfError())
                .Finally("the rest is resident", () => rig.Space.CountResident(RssKind.Anonymous).Value == 312)
                .Finally("and right", () => rig.Holds(MirrorRig.Part(range, 0, 100), 5) && rig.Holds(MirrorRig.Part(range, 300, 212), 5));
        });
    }

    [Test]
    public void EvictionAndProtectionOfAPart_InEveryOrder_LeaveEntriesThatTheAreasAllow()
    {
        Explore(OfEachEntry, (rig, range, scenario) =>
        {
            VirtRange part = MirrorRig.Part(range, 100, 200);
            _ = scenario
                .Actor("protect", () => rig.Space.TryProtect(part.Start, part.Length, AreaAccess.Read).ThrowIfError())
                .Finally("the part may not be written", () => !rig.EntryAt(part).IsWritable
                    && rig.Space.Write(part.Start, [6]) == FaultResult.SegmentationFault)
                .Finally("the rest may", () => rig.Space.Write(range.Start, [5]) == FaultResult.Done)
                .Finally("the bytes are there", () => rig.Holds(range, 5));
        });
    }

    // Evicts 2 MiB of the device while the cast is at them.
    private static void Explore(string[] hidden, Action<RacingRig, VirtRange, Scenario> cast)
    {
        RacingRig? last = null;
        Exploration done = new Explorer { MaxInterruptions = 2 }.Explore(points =>
        {
            last?.Dispose();
            last = new RacingRig(points, hidden, LinuxProfile.V619);
            RacingRig rig = last;
            VirtRange range = rig.MapLargeOnDevice(5);
            Pfn head = rig.EntryAt(range).Frame;
            Scenario scenario = new Scenario().Actor("evict", () => rig.Evict(head, PageSize.Large));
            cast(rig, range, scenario);
            return scenario
                .Finally("the device has nothing", () => rig.Device.UsedPages.IsZero)
                .Finally("all counts add up", rig.IsValid); // the last outcome: all others held
        });
        last?.Dispose();
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(5));
    }
}
