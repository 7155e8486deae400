namespace Mm.Core.Spaces;

/// <summary>What may no longer be done to a <see cref="MemoryFile"/>.</summary>
/// <remarks><b>Linux:</b> F_SEAL_SEAL to F_SEAL_EXEC (v6.12), with their numbers.</remarks>
[Flags]
public enum FileSeals
{
    /// <summary>Nothing is sealed.</summary>
    None = 0,

    /// <summary>No further seals.</summary>
    Seal = 1,

    /// <summary>Not smaller.</summary>
    Shrink = 2,

    /// <summary>Not larger.</summary>
    Grow = 4,

    /// <summary>Not written, and never was mapped for writing when this was set.</summary>
    Write = 8,

    /// <summary>Not written but through mappings that are there already.</summary>
    FutureWrite = 16,

    /// <summary>The mode's execution bits stay; files of Mm have none.</summary>
    Exec = 32,
}
