namespace Mm.Benchmarks.Peers;

/// <summary>G6: which provider owns an address, beside the C Eytzinger tree, the best of the C++ structures measured.</summary>
internal static class LookupGoals
{
    private const double VectorGoal = 0.6;
    private const double ScalarGoal = 1.2;

    private static readonly int[] Counts = [16, 256, 4096, 65536];

    internal static IEnumerable<Goal> All()
    {
        foreach (string vectors in new[] { "", "256", "128", "scalar" })
        {
            string name = vectors.Length == 0 ? "widest vectors" : vectors;
            double wanted = vectors is "" or "256" ? VectorGoal : ScalarGoal;
            foreach (int count in Counts)
            {
                var side = new Lazy<LookupWorkload>(() => new LookupWorkload(count));
                yield return new Goal(
                    $"G6 lookup of {count} ranges, {name}", "lookup", $"eytzinger {count}", wanted, () => side.Value.Find())
                {
                    Vectors = vectors,
                };
            }
        }

        foreach (int count in Counts)
        {
            var side = new Lazy<LookupWorkload>(() => new LookupWorkload(count));
            yield return new Goal(
                $"G6 provider of {count}, down to the object", "lookup", $"provider {count}", VectorGoal,
                () => side.Value.FindProvider());
        }
    }
}
