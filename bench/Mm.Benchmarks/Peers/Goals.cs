namespace Mm.Benchmarks.Peers;

/// <summary>All goals, in the order of their numbers: what speed is promised, through the public API, as shipped.</summary>
internal static class Goals
{
    /// <summary>The goals. Inputs are made when a goal first runs.</summary>
    /// <returns>The goals.</returns>
    internal static IEnumerable<Goal> All() =>
    [
        .. AllocatorGoals.All(),
        .. LookupGoals.All(),
        .. RangeListGoals.All(),
        .. CopyGoals.All(),
        .. SpaceGoals.All(),
        .. MigrationGoals.All(),
        .. MachineGoals.All(),
    ];
}
