namespace Mm.Core.Spaces;

/// <summary>Whoever maps a <see cref="MemoryFile"/>, told when pages go from under the mapping.</summary>
/// <remarks>
/// <b>Linux:</b> unmap_mapping_range (v6.12), by a call instead of the file's tree of areas.
/// <para><b>Locking:</b> called with no lock of the file held, before the pages go and once more afterwards.</para>
/// </remarks>
internal interface IFileWatcher
{
    /// <summary>Pages from an index up are about to go: drop every entry of them.</summary>
    /// <param name="file">The file.</param>
    /// <param name="first">The first page that goes.</param>
    void RemovePages(MemoryFile file, PageCount first);
}
