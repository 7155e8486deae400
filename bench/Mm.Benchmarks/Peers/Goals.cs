namespace Mm.Benchmarks.Peers;

/// <summary>All goals, by the room that they are of: what speed is promised, through the public API, as shipped.</summary>
internal static class Goals
{
    /// <summary>The goals. Inputs are made when a goal first runs.</summary>
    /// <returns>The goals.</returns>
    internal static IEnumerable<Goal> All() =>
    [
        .. AllocatorGoals.All(),
        .. DeviceGoals.All(),
        .. LookupGoals.All(),
        .. RangeListGoals.All(),
        .. CopyGoals.All(),
        .. SpaceGoals.All(),
        .. MigrationGoals.All(),
        .. MachineGoals.All(),
    ];
}
