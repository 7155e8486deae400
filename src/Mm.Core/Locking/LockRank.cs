namespace Mm.Core.Locking;

/// <summary>The order in which locks are taken: a thread that holds one takes only those of higher rank.</summary>
/// <remarks>
/// Outer locks have low numbers. The gaps leave room for ranks of later rooms; numbers stay below 64, so that the ranks
/// a thread holds fit in one word. Callbacks into code of users (page-map operations, providers, sinks) run with no lock
/// held unless their interface says otherwise.
/// <para><b>Linux:</b> the lock-order comments of mm/rmap.c and mm/filemap.c (v6.12), as an enum that is checked.</para>
/// </remarks>
public enum LockRank
{
    /// <summary>
    /// Protects: in which I/O address space an access of software is. Kind: blocking. Not held while its owner is told to
    /// let pins go. <b>Linux:</b> iommufd_access::ioas_lock.
    /// </summary>
    IoSpaceAccess = 0,

    /// <summary>
    /// Protects: the domains of one I/O address space, while areas are filled. Kind: blocking. Pages are pinned with it
    /// held, hence all that a fault may take comes after. <b>Linux:</b> io_pagetable::domains_rwsem.
    /// </summary>
    IoSpaceDomains = 1,

    /// <summary>
    /// Protects: the areas and the reserved and allowed ranges of one I/O address space; never two spaces at once. Kind:
    /// blocking. <b>Linux:</b> io_pagetable::iova_rwsem.
    /// </summary>
    IoSpaceAreas = 2,

    /// <summary>
    /// Protects: what of one map call's pages is pinned, and for whom. Kind: blocking. Held while pages are pinned and
    /// mapped into domains. <b>Linux:</b> iopt_pages::mutex, which is before mmap_lock.
    /// </summary>
    IoSpacePages = 3,

    /// <summary>
    /// Stands for: the lock of an address space, which many may hold and which is held long; it is no ranked lock itself.
    /// Nobody who holds a lock after this one waits for it. <b>Linux:</b> mmap_lock.
    /// </summary>
    AddressSpace = 4,

    /// <summary>
    /// Protects: which fences a shared buffer waits for, and the buffer's place. Kind: blocking; one at a time. Held while
    /// the buffer is mapped for a device, where providers are asked, and while importers are told that it moves; its
    /// readers take no lock. <b>Linux:</b> dma_resv::lock.
    /// </summary>
    Reservation = 5,

    /// <summary>
    /// Protects: the shape of a topology while it is edited. Kind: blocking.
    /// May be held while any other lock is taken. <b>Linux:</b> pci_bus_sem.
    /// </summary>
    Topology = 6,

    /// <summary>
    /// Protects: the set of page maps and what of physical address space they cover, while one is made or ends.
    /// Kind: blocking. Held while frames are initialised; not while a page map's callbacks run.
    /// <b>Linux:</b> mem_hotplug_lock and the lock of pgmap_array.
    /// </summary>
    Pagemaps = 8,

    /// <summary>
    /// Protects: the providers of peer memory, found by address. Kind: short.
    /// A provider is never called with it held. <b>Linux:</b> none in v6.12; the registry is Mm's own.
    /// </summary>
    Providers = 12,

    /// <summary>
    /// Protects: the reverse map of one family of address spaces: held over a search for a page's mappings, over a fork's
    /// copy and over a move. Kind: blocking. Entries change and pages are allocated under it. <b>Linux:</b> anon_vma's
    /// rwsem.
    /// </summary>
    ReverseMap = 13,

    /// <summary>
    /// Protects: what a device has copied of an address space, its page table above all. Kind: blocking. Taken by its
    /// invalidation, while the reverse map is held perhaps. <b>Linux:</b> the driver's user lock of hmm.rst.
    /// </summary>
    Mirror = 14,

    /// <summary>
    /// Protects: the free space of one pool of peer memory. Kind: short. Nothing but the allocator's locks below it.
    /// <b>Linux:</b> gen_pool is lock-free; its chunk list has a spinlock.
    /// </summary>
    Pool = 16,

    /// <summary>
    /// Protects: which devices are attached to an IOMMU domain. Kind: blocking. <b>Linux:</b> iommu_group::mutex.
    /// </summary>
    DmaDomain = 20,

    /// <summary>
    /// Protects: the free and used I/O addresses of a domain. Kind: short. <b>Linux:</b> iova_domain::iova_rbtree_lock.
    /// </summary>
    IovaSpace = 24,

    /// <summary>
    /// Protects: the pages, size, seals and mappings of one in-memory file. Kind: blocking. May be held while pages are
    /// allocated and while mappings are told that pages go. <b>Linux:</b> inode_lock.
    /// </summary>
    File = 26,

    /// <summary>
    /// Protects: the page table of an IOMMU domain while it changes. Kind: short. May be held while a table page is
    /// allocated. <b>Linux:</b> the page-table lock of an IOMMU driver.
    /// </summary>
    IommuPageTable = 28,

    /// <summary>
    /// Protects: the areas of one address space, for who reads them from outside its own lock. Kind: short.
    /// <b>Linux:</b> the part of i_mmap_rwsem and anon_vma's rwsem that keeps an area where it is.
    /// </summary>
    Areas = 29,

    /// <summary>
    /// Protects: the leaves of 2 MiB of one address space's page tables, when one is split or goes. Kind: short. May be
    /// held while a table is taken. <b>Linux:</b> pmd_lock.
    /// </summary>
    PageTable = 30,

    /// <summary>
    /// Protects: the free stack of one CPU in front of a zone. Kind: short. Held while the zone refills it.
    /// <b>Linux:</b> per_cpu_pages::lock.
    /// </summary>
    PerCpuPages = 32,

    /// <summary>
    /// Protects: the free lists and counts of one zone. Kind: short; never two zones at once. <b>Linux:</b> zone::lock.
    /// </summary>
    Zone = 36,

    /// <summary>
    /// Protects: who follows an address space, and the sequence of its invalidations. Kind: short; a leaf. Callbacks
    /// never run with it held. <b>Linux:</b> mmu_notifier_subscriptions::lock.
    /// </summary>
    Notifiers = 52,

    /// <summary>
    /// Protects: the list of regions of an address map. Kind: short; a leaf. <b>Linux:</b> resource_lock.
    /// </summary>
    AddressMap = 56,

    /// <summary>
    /// Protects: anything that takes no lock while it is held: registries, rings, counters. Kind: short; a leaf.
    /// </summary>
    Leaf = 60,
}
