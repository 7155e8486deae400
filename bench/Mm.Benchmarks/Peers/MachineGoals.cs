using System.Diagnostics;
using Mm.Core;
using Mm.Core.Frames;

namespace Mm.Benchmarks.Peers;

/// <summary>Scaling (S): a machine of 16 TiB costs next to nothing until it is used, and its pages what those of a small one cost.</summary>
internal static class MachineGoals
{
    private const int TiB = 16;
    private const double BuildMs = 10;
    private const double ResidentMiB = 16;
    private const double FlatGoal = 1.10;

    internal static IEnumerable<Goal> All()
    {
        yield return new Goal($"S1 build of a {TiB} TiB machine, of {BuildMs} ms", "", "", 1.0, Build)
        {
            Unit = "ms",
            Other = static () => new Repetition(BuildMs, 0),
        };
        yield return new Goal($"S2 resident bytes of a {TiB} TiB machine, of {ResidentMiB} MiB", "", "", 1.0, Residence)
        {
            Unit = "MiB",
            Other = static () => new Repetition(ResidentMiB, 0),
        };
        var small = new AllocatorWorkload(threads: 1);
        var large = new AllocatorWorkload(threads: 1, machineBytes: (ulong)TiB << 40);
        yield return Flat("S3 order-0 hot pair, 16 TiB / 2 GiB", () => large.Hot(order: 0), () => small.Hot(order: 0));
        yield return Flat("S3 order-0 churn, 16 TiB / 2 GiB", () => large.Churn(order: 0), () => small.Churn(order: 0));
    }

    private static Goal Flat(string name, Func<Repetition> large, Func<Repetition> small) =>
        new(name, "", "", FlatGoal, large) { Other = small };

    private static Machine Make() => Machine.CreateBuilder()
        .AddRam(new NodeId(0), new PhysRange(new PhysAddr(1UL << 32), new ByteCount((ulong)TiB << 40)))
        .Build();

    private static Repetition Build()
    {
        long begin = Stopwatch.GetTimestamp();
        Machine machine = Make();
        double elapsedMs = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        machine.Dispose();

        // A disposed table keeps its addresses until it is collected, so that a stale reference faults on nobody
        // else's memory; 400 times 256 GiB in a row would be more than a process has.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return new Repetition(elapsedMs, 0);
    }

    // With one page taken, so that what the first use costs is in it.
    private static Repetition Residence()
    {
        long before = Environment.WorkingSet;
        using Machine machine = Make();
        machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef page).ThrowIfError();
        long bytes = Environment.WorkingSet - before;
        page.Dispose();
        return new Repetition((double)bytes / (1 << 20), 0);
    }
}
