namespace Mm.Core.Spaces;

/// <summary>The holds of one address space on the files that it maps: one for each file and right to write.</summary>
/// <remarks>
/// Owns the holds; areas name their file, and a hold lives as long as an area needs it.
/// <para><b>Linux:</b> vm_file and mapping_map_writable of each area (v6.12), counted by space instead of by area.</para>
/// <para><b>Locking:</b> the space's lock, for writing; told of pages that go with no lock at all.</para>
/// </remarks>
internal sealed class FileHolds(AddressSpace space) : IFileWatcher
{
    private readonly List<FileMapping> holds = [];

    /// <summary>The space that maps the files.</summary>
    internal AddressSpace Space => space;

    /// <summary>Takes a hold for a new area.</summary>
    /// <param name="wanted">What the area is to be.</param>
    /// <param name="given">What the file's seals leave of it.</param>
    /// <returns>Ok; EPERM: shared and writable, and the file is sealed against writing.</returns>
    internal Errno TryHold(AreaTraits wanted, out AreaTraits given)
    {
        given = wanted;
        if (wanted.Backing is not MemoryFile file)
        {
            return Errno.Ok;
        }

        Errno errno = file.TryMap(wanted, this, out FileMapping? mapping);
        if (errno.IsOk)
        {
            given = mapping!.Traits;
            holds.Add(mapping);
        }

        return errno;
    }

    /// <summary>Takes a hold for an area that a child inherits: what its parent may do it may, whatever was sealed since.</summary>
    /// <param name="inherited">What the area is.</param>
    /// <remarks><b>Linux:</b> dup_mmap, which takes the file without asking its seals.</remarks>
    internal void Inherit(AreaTraits inherited)
    {
        if (inherited.Backing is MemoryFile file)
        {
            holds.Add(file.MapInherited(inherited, this));
        }
    }

    /// <summary>Lets go of what no area needs any more, and of what is held twice.</summary>
    internal void Reconcile()
    {
        for (int index = holds.Count - 1; index >= 0; index--)
        {
            FileMapping hold = holds[index];
            bool isDouble = holds.FindIndex(other => other.IsLike(hold)) != index;
            if (isDouble || !IsNeeded(hold))
            {
                holds.RemoveAt(index);
                hold.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public void RemovePages(MemoryFile file, PageCount first) =>
        space.RemoveBackedPages(file, first, new PageCount(ulong.MaxValue), keepsCopies: false);

    private bool IsNeeded(FileMapping hold)
    {
        foreach (Area area in space.AreaSet.Areas)
        {
            if (hold.Serves(area.Traits))
            {
                return true;
            }
        }

        return false;
    }
}
