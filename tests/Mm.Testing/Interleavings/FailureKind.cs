namespace Mm.Testing.Interleavings;

/// <summary>How a schedule failed.</summary>
public enum FailureKind
{
    /// <summary>An invariant or an outcome did not hold.</summary>
    Broken,

    /// <summary>An exception left an actor.</summary>
    Threw,

    /// <summary>Actors are left, and none of them is ready.</summary>
    Deadlock,

    /// <summary>The schedule passed the bound on its steps: actors go around without an end.</summary>
    Endless,
}
