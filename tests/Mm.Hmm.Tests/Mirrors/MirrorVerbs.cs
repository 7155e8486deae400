namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Which operations may come next, and how often: few that are sure to do nothing.</summary>
internal static class MirrorVerbs
{
    private static readonly (string Name, int Weight)[] OnMemory =
    [
        ("unmap", 1), ("protect", 4), ("dontneed", 3), ("populate-write", 2), ("move", 4),
        ("cpu-write", 10), ("cpu-read", 5), ("device-read", 6), ("device-write", 10),
        ("migrate-to-device", 14), ("migrate-to-system", 3), ("make-exclusive", 6), ("check-exclusive", 2),
        ("snapshot", 1), ("pagemap", 1), ("pin", 3),
    ];

    internal static IEnumerable<(string Name, int Weight)> After(ReferenceWorld world, ReferenceProcess process, bool canEvict)
    {
        int mapped = RegionsOf(process).Count();
        yield return ("map", mapped switch { 0 => 40, ReferenceProcess.Regions => 2, _ => 12 });
        if (mapped == 0)
        {
            yield break;
        }

        foreach ((string Name, int Weight) verb in OnMemory)
        {
            yield return verb;
        }

        yield return ("evict", canEvict ? 2 : 0);
        yield return world.Child is null ? ("fork", 5) : ("exit", 2);
        yield return ("unpin", process.Slots.Count);
        if (process.PinSet.Length == 0)
        {
            yield return ("long-pin", 3);
            yield break;
        }

        yield return ("long-pin-read", 2);
        yield return ("long-unpin", 1);
    }

    /// <summary>The regions that an operation may be about.</summary>
    internal static IEnumerable<int> RegionsFor(string name, ReferenceProcess process) => name switch
    {
        "map" => Enumerable.Range(0, ReferenceProcess.Regions),
        "move" => Enumerable.Range(0, ReferenceProcess.Regions).Where(region => process.RegionAt(region).IsWhole).DefaultIfEmpty(),
        _ => RegionsOf(process).DefaultIfEmpty(),
    };

    private static IEnumerable<int> RegionsOf(ReferenceProcess process) =>
        Enumerable.Range(0, ReferenceProcess.Regions).Where(region => process.RegionAt(region).Pages != 0);
}
