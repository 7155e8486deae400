namespace Mm.Hmm.Mirrors;

/// <summary>What kind of memory a mirroring device has.</summary>
/// <remarks><b>Linux:</b> MEMORY_DEVICE_PRIVATE and MEMORY_DEVICE_COHERENT (v6.12).</remarks>
public enum MirrorMemoryKind
{
    /// <summary>No CPU can address it.</summary>
    Private = 0,

    /// <summary>CPUs address it, coherently.</summary>
    Coherent = 1,
}
