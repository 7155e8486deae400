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
    /// Protects: which fences a shared buffer waits for, and the buffer's place. Kind: blocking; one at a time. Held while
    /// the buffer is mapped for a device, where providers are asked, and while importers are told that it moves; its
    /// readers take no lock. <b>Linux:</b> dma_resv::lock.
    /// </summary>
    Reservation = 3,

    /// <summary>
    /// Protects: the shape of a topology while it is edited. Kind: blocking.
    /// May be held while any other lock is taken. <b>Linux:</b> pci_bus_sem.
    /// </summary>
    Topology = 4,

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
