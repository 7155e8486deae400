namespace Mm.Benchmarks.Peers;

/// <summary>G10 and G11, the copies that migration will be made of: random pages, beside memcpy and the best C copy.</summary>
internal static class CopyGoals
{
    private const int Small = 4 << 10;
    private const int Large = 2 << 20;

    internal static IEnumerable<Goal> All()
    {
        var pages = new Lazy<CopyWorkload>(static () => new CopyWorkload(Small));
        var blocks = new Lazy<CopyWorkload>(static () => new CopyWorkload(Large));
        yield return Of("G10 copy run of 4 KiB pages / memcpy", $"memcpy {Small}", 1 / 1.3, () => pages.Value.Run());
        yield return Of("G10 copy run of 4 KiB pages / NT + prefetch", $"prefetch {Small}", 1 / 0.9, () => pages.Value.Run());
        yield return Of("G10 plain copy of 4 KiB pages / memcpy", $"memcpy {Small}", 1 / 0.95, () => pages.Value.Plain());
        yield return Of("G10 non-temporal copy of 4 KiB pages / NT", $"nt {Small}", 1 / 0.95, () => pages.Value.NonTemporal());
        yield return Of("G11 copy run of 2 MiB pages / memcpy", $"memcpy {Large}", 1 / 1.2, () => blocks.Value.Run());
        yield return Of("G11 non-temporal copy of 2 MiB pages / memcpy", $"memcpy {Large}", 1 / 1.2, () => blocks.Value.NonTemporal());
        yield return Of("G11 non-temporal copy of 2 MiB pages / NT", $"nt {Large}", 1 / 0.97, () => blocks.Value.NonTemporal());
    }

    private static Goal Of(string name, string workload, double wanted, Func<Repetition> mm) =>
        new(name, "copy", workload, wanted, mm);
}
