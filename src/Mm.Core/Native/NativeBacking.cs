namespace Mm.Core.Native;

/// <summary>Where the bytes of a machine's memory come from.</summary>
/// <remarks>Not Linux's: this is about the process that Mm runs in.</remarks>
public enum NativeBacking
{
    /// <summary>Address space reserved from the operating system, touched page by page; the default.</summary>
    OperatingSystem = 0,

    /// <summary>
    /// Arrays on the pinned object heap, for fuzz runs: a span kept too long still points into its array, and reads
    /// poison. Blocks above <see cref="ReservedMemory.LargestPinnedBlock"/> stay with the operating system, because the
    /// managed heap cannot reserve without committing.
    /// </summary>
    PinnedHeap = 1,
}
