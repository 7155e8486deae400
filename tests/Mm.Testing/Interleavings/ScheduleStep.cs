namespace Mm.Testing.Interleavings;

/// <summary>One decision of a schedule: which actor goes on, and from which point.</summary>
/// <param name="Actor">The actor's name.</param>
/// <param name="Point">The point at which it stood; <c>start</c> before its first step.</param>
public readonly record struct ScheduleStep(string Actor, string Point)
{
    /// <summary>The point at which every actor stands before its first step.</summary>
    public const string Start = "start";

    /// <summary>The step as <c>actor@point</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Actor}@{Point}";
}
