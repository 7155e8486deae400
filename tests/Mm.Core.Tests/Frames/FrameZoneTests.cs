using Mm.Core.Frames;
using Mm.Core.Locking;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

public sealed class FrameZoneTests
{
    // Two machines that are fragmented alike: one is emptied in runs, the other page by page.
    [FsCheck.NUnit.Property(MaxTest = 100)]
    public void TakeSingles_InAnyRuns_TakesWhatTryTakeDoesAndLeavesWhatItLeaves(
        byte[] orders, byte[] runs, bool hasLent, bool hasReserve, bool canBorrow, MigrateTypeChoice choice)
    {
        using Machine many = Fragmented(orders, hasLent, hasReserve);
        using Machine single = Fragmented(orders, hasLent, hasReserve);
        var type = (MigrateType)choice;
        foreach (byte run in runs)
        {
            var taken = new ulong[run];
            int count = InZone(many, zone => zone.TakeSingles(type, canBorrow, isAtomic: false, taken));
            ulong[] expected = InZone(single, zone => TakeOneByOne(zone, run, type, canBorrow));
            Assert.That(taken[..count], Is.EqualTo(expected));
            Assert.That(many.Picture(), Is.EqualTo(single.Picture()));
            Assert.That(many.Allocator.Zones[0].Free, Is.EqualTo(single.Allocator.Zones[0].Free));
        }
    }

    /// <summary>The types that pages are asked for by.</summary>
    public enum MigrateTypeChoice
    {
        Unmovable = MigrateType.Unmovable,
        Movable = MigrateType.Movable,
        Reclaimable = MigrateType.Reclaimable,
    }

    [Test]
    public void TakeSingles_OfAnEmptyZone_TakesNone()
    {
        using Machine machine = OneNode();
        var all = new ulong[4097];
        Assert.That(
            InZone(machine, zone => zone.TakeSingles(MigrateType.Movable, canBorrow: true, isAtomic: false, all)), Is.EqualTo(4096));
        Assert.That(all[..4096], Is.EqualTo(Enumerable.Range(0, 4096)));
        Assert.That(
            InZone(machine, zone => zone.TakeSingles(MigrateType.Movable, canBorrow: true, isAtomic: false, all)), Is.Zero);
    }

    private static Machine Fragmented(byte[] orders, bool hasLent, bool hasReserve)
    {
        Machine machine = hasLent ? WithCma() : OneNode();
        InZone(machine, zone =>
        {
            var blocks = new List<(ulong Frame, int Order)>();
            foreach (byte wish in orders)
            {
                int order = wish % (FrameZone.MaxOrder + 1);
                if (zone.TryTake(order, (MigrateType)(wish % 3), canBorrow: true, isAtomic: true, out ulong frame))
                {
                    blocks.Add((frame, order));
                }
            }

            foreach ((ulong frame, int order) in blocks.Where(static (_, place) => place % 2 == 0))
            {
                zone.Put(frame, order);
            }

            zone.Reserve = hasReserve ? 100UL : 0;
            return 0;
        });
        return machine;
    }

    private static ulong[] TakeOneByOne(FrameZone zone, int wanted, MigrateType type, bool canBorrow)
    {
        var taken = new List<ulong>();
        while (taken.Count < wanted && zone.TryTake(0, type, canBorrow, isAtomic: false, out ulong frame))
        {
            taken.Add(frame);
        }

        return [.. taken];
    }

    private static T InZone<T>(Machine machine, Func<FrameZone, T> work)
    {
        FrameZone zone = machine.Allocator.Zones[0];
        using RankedLock.Guard held = zone.Gate.Enter();
        return work(zone);
    }
}
