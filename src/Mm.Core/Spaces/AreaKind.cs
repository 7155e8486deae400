namespace Mm.Core.Spaces;

/// <summary>What stands behind the pages of an <see cref="Area"/>.</summary>
/// <remarks><b>Linux:</b> vm_file, vm_ops and the flags VM_SHARED, VM_PFNMAP, VM_MIXEDMAP and VM_IO (v6.12).</remarks>
public enum AreaKind
{
    /// <summary>Zeros at first, the process's own. <b>Linux:</b> vma_is_anonymous.</summary>
    AnonymousPrivate = 0,

    /// <summary>Zeros at first, shared with who inherits it. <b>Linux:</b> MAP_SHARED and MAP_ANONYMOUS, a shmem file.</summary>
    AnonymousShared = 1,

    /// <summary>A file's pages, copied when written. <b>Linux:</b> MAP_PRIVATE of a file.</summary>
    FilePrivate = 2,

    /// <summary>A file's pages. <b>Linux:</b> MAP_SHARED of a file.</summary>
    FileShared = 3,

    /// <summary>Frames without a struct page that anybody would count. <b>Linux:</b> VM_PFNMAP.</summary>
    PfnMapped = 4,

    /// <summary>Pages of a driver, some with struct page. <b>Linux:</b> VM_MIXEDMAP.</summary>
    Mixed = 5,

    /// <summary>A device's registers or memory. <b>Linux:</b> VM_IO and VM_PFNMAP.</summary>
    DeviceMemory = 6,

    /// <summary>Peer memory that its provider hands out page by page. <b>Linux:</b> p2pmem_alloc_mmap.</summary>
    PeerMemory = 7,
}
