namespace Mm.Benchmarks.Peers;

/// <summary>G13: what a device asks of a process's tables, beside a bare walk in C and this kernel's own.</summary>
internal static class SpaceGoals
{
    internal static IEnumerable<Goal> All()
    {
        var walk = new Lazy<RangeFaultWorkload>(static () => new RangeFaultWorkload());
        yield return new Goal("G13 range fault of 1 GiB", "pagetable", "walk", 1.1, () => walk.Value.Whole());
        yield return new Goal("G13 range fault in windows of 64 KiB", "pagetable", "windows", 2.0, () => walk.Value.Windows());
        yield return new Goal("G13 range fault of 1 GiB / pagemap", "kernel", "pagemap", 1 / 50.0, () => walk.Value.Whole().Uncounted());
    }
}
