namespace Mm.Benchmarks.Peers;

/// <summary>G1 to G4: the page allocator beside its C twin.</summary>
/// <remarks>
/// The goals name llfree-c, a foreign program that is not kept here. Its place is taken by the twin: a goal of r times
/// llfree-c becomes r x (llfree-c / twin), with both figures from one run on one machine (quoted at each constant; the
/// machine was a 2-CPU Zen 5). Another processor may have another relation between the two, so read the factor with it.
/// </remarks>
internal static class AllocatorGoals
{
    private const double HotGoal = 0.15 * 78.3 / 7.87; // G1: 0.15 x llfree-c; the other half of it is 1.5 x twin
    private const double BulkGetGoal = 0.5 * 46.5 / 15.2; // G2
    private const double BulkPutGoal = 0.8 * 43.3 / 90.7;
    private const double LargeHotGoal = 0.15 * 64.6 / 6.60; // G3
    private const double LargeChurnGoal = 0.10 * 119 / 9.06;
    private const double ThreadsHotGoal = 1.05; // G4: of Mm's own time on one thread
    private const double ThreadsChurnGoal = 0.35 * 113 / 31.6;

    internal static IEnumerable<Goal> All()
    {
        var one = new AllocatorWorkload(threads: 1);
        var two = new AllocatorWorkload(threads: 2);
        yield return Of("G1 order-0 hot pair", "hot 0 1", HotGoal, () => one.Hot(order: 0));
        yield return Of("G2 order-0 bulk get", "get 0 1", BulkGetGoal, () => one.BulkGet(order: 0));
        yield return Of("G2 order-0 bulk put, random order", "put 0 1", BulkPutGoal, () => one.BulkPut(order: 0));
        yield return Of("G3 order-9 hot pair", "hot 9 1", LargeHotGoal, () => one.Hot(order: 9));
        yield return Of("G3 order-9 churn at 7/8 full", "churn 9 1", LargeChurnGoal, () => one.Churn(order: 9));
        yield return Of("G3 order-0 churn at 7/8 full", "churn 0 1", 1.5, () => one.Churn(order: 0));
        yield return Of("G4 order-0 hot pair, 2 threads / 1", "", ThreadsHotGoal, () => two.Hot(order: 0)) with
        {
            Other = () => one.Hot(order: 0) with { Checksum = 2 * AllocatorWorkload.Pairs },
        };
        yield return Of("G4 order-0 hot pair, 2 threads", "hot 0 2", HotGoal, () => two.Hot(order: 0));
        yield return Of("G4 order-0 churn, 2 threads", "churn 0 2", ThreadsChurnGoal, () => two.Churn(order: 0));
        yield return Of("G4 order-9 churn, 2 threads", "churn 9 2", LargeChurnGoal, () => two.Churn(order: 9));
    }

    private static Goal Of(string name, string workload, double wanted, Func<Repetition> mm) =>
        new(name, workload.Length == 0 ? "" : "allocator", workload, wanted, mm);
}
