namespace Mm.Core.Spaces;

/// <summary>Whoever maps a <see cref="MemoryFile"/>, told when pages go from under the mapping.</summary>
/// <remarks>
/// <b>Linux:</b> unmap_mapping_range (v6.12), by a call instead of the file's tree of areas.
/// <para><b>Locking:</b> called with the file's lock held: it may take page-table locks, and not call the file.</para>
/// </remarks>
internal interface IFileWatcher
{
    /// <summary>Pages from an index up are about to go: drop every entry of them.</summary>
    /// <param name="first">The first page that goes.</param>
    void RemovePages(PageCount first);
}
