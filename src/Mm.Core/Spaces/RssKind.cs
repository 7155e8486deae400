namespace Mm.Core.Spaces;

/// <summary>What resident pages are counted under.</summary>
/// <remarks><b>Linux:</b> MM_ANONPAGES, MM_SHMEMPAGES and MM_FILEPAGES (v6.12); every file here is in memory, as shmem is.</remarks>
public enum RssKind
{
    /// <summary>Of the process alone, device memory included.</summary>
    Anonymous = 0,

    /// <summary>Of a file in memory.</summary>
    Shared = 1,

    /// <summary>Of a driver's mapping.</summary>
    File = 2,
}
