using Mm.Core;

namespace Mm.Benchmarks.Peers;

/// <summary>G10 to G12 and G14: pages that move to a device and back, and a CPU that touches one there.</summary>
internal static class MigrationGoals
{
    private const int SmallBytes = 4 << 10;
    private const int LargeBytes = 2 << 20;
    private const double NanosecondsOverCopy = 40;

    internal static IEnumerable<Goal> All()
    {
        var pages = new Lazy<MigrationWorkload>(static () => new MigrationWorkload(PageSize.Small));
        var copies = new Lazy<CopyWorkload>(static () => new CopyWorkload(SmallBytes));
        yield return Of("G10 migration of 4 KiB pages / memcpy", 1 / 1.3, pages, () => copies.Value.Plain().Uncounted());
        yield return Of("G10 migration of 4 KiB pages / NT + prefetch", 1 / 0.9, pages, () => copies.Value.Run().Uncounted());
        yield return new Goal($"G10 migration over its copy, of {NanosecondsOverCopy} ns", "", "", 1.0, () => Over(pages.Value, copies.Value))
        {
            Other = static () => new Repetition(NanosecondsOverCopy, 0),
        };
        var large = new Lazy<MigrationWorkload>(static () => new MigrationWorkload(PageSize.Large));
        var blocks = new Lazy<CopyWorkload>(static () => new CopyWorkload(LargeBytes));
        yield return Of("G11 migration of 2 MiB pages / memcpy", 1 / 1.2, large, () => blocks.Value.Plain().Uncounted());
        yield return Of("G11 migration of 2 MiB pages / NT", 1 / 0.97, large, () => blocks.Value.NonTemporal().Uncounted());
        yield return new Goal("G12 migration of 4 KiB pages / MADV_COLLAPSE", "kernel", "collapse", 0.3, () => pages.Value.ThereAndBack());
        yield return new Goal("G14 fault on a device page / userfaultfd", "kernel", "fault", 0.1, () => pages.Value.Faults());
    }

    private static Goal Of(string name, double wanted, Lazy<MigrationWorkload> pages, Func<Repetition> other) =>
        new(name, "", "", wanted, () => pages.Value.ThereAndBack()) { Other = other };

    private static Repetition Over(MigrationWorkload pages, CopyWorkload copies) =>
        new(pages.ThereAndBack().Figure - copies.Run().Figure, 0);
}
