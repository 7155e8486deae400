namespace Mm.DmaBuf.Fences;

/// <summary>What a sync file says of itself.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct sync_file_info (v6.12). Immutable.</para>
/// </remarks>
/// <param name="Name">Its name.</param>
/// <param name="Status">
/// That of the whole; asked with slots it is the first of its fences' that is pending or failed, else signaled.
/// </param>
/// <param name="FenceCount">How many fences it has.</param>
public readonly record struct SyncFileInfo(string Name, FenceStatus Status, int FenceCount);
