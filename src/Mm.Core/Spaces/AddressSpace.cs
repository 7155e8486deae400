using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <summary>The memory of one process: areas, page tables, the pages that they hold, and everybody who mirrors them.</summary>
/// <remarks>
/// Owns its areas, its tables, and one reference for each page that an entry maps. Not responsible for files, which live as
/// long as somebody maps them, nor for device memory, which its driver gives and takes.
/// <para><b>Linux:</b> mm_struct, with mm/memory.c, mm/mmap.c, mm/mprotect.c, mm/mremap.c, mm/madvise.c (v6.12). Deliberate
/// differences: no swap, no KSM, no userfaultfd, no mlock and no hugetlb; faults take the lock of the whole space, never an
/// area's own; a thread's translations are flushed by waiting for accesses under way.</para>
/// <para><b>States:</b> alive → ended by <see cref="Dispose"/>, which unmaps everything.</para>
/// <para><b>Invariants:</b> (1) every entry lies in an area; (2) a present entry of a page with metadata, and a device-private
/// one, hold a reference and are counted on the page; a migration entry holds neither, a device-exclusive one a reference;
/// (3) resident pages by kind are those of the entries; (4) an anonymous page that is exclusive is mapped once.</para>
/// <para><b>Locking:</b> safe from any thread. <see cref="Lock"/> first, for reading by faults, for writing by what changes
/// areas; then page locks, then ranked locks. Notifiers are called with <see cref="Lock"/> held.</para>
/// </remarks>
public sealed partial class AddressSpace : IDisposable
{
    private readonly RankedLock areasGate = new(LockRank.Areas); // areas change under it and Lock; foreigners read under it
    private readonly RankedLock tlbGate = new(LockRank.Leaf); // an access of the CPU; whoever passes it has flushed
    private readonly PageFaults faults;
    private readonly FileHolds files;
    private readonly BackingHolds backings;
    private readonly UserPages userPages;
    private readonly long[] rss = new long[3]; // atomic each
    private int isEnded; // atomic

    internal AddressSpace(AddressSpaces owner, SpaceFamily family, Placement? parent = null)
    {
        Owner = owner;
        Parts = owner.Parts;
        Family = family;
        Lock = new SpaceLock(Parts.Points);
        AreaSet = new AreaSet(nextSequence: owner.NextRoot);
        Tables = new PageTables(Parts.Memory, Parts.Faults);
        Notifiers = new NotifierSubscriptions(Parts.Points);
        faults = new PageFaults(this);
        files = new FileHolds(this);
        backings = new BackingHolds(this);
        removersDone = new WaitQueue(Parts.Points);
        userPages = new UserPages(this);
        Placement = parent?.Copy() ?? new Placement(Parts.Allocator, owner.Nodes);
        family.Add(this);
    }

    /// <summary>Everybody who mirrors it.</summary>
    public NotifierSubscriptions Notifiers { get; }

    /// <summary>Where its pages come from.</summary>
    public Placement Placement { get; }

    /// <summary>Whether it has ended.</summary>
    public bool IsEnded => Volatile.Read(ref isEnded) != 0;

    /// <summary>The areas, lowest first, as they are now.</summary>
    public IReadOnlyList<Area> Areas
    {
        get
        {
            using RankedLock.Guard _ = areasGate.Enter();
            return AreaSet.Areas.ToArray();
        }
    }

    /// <summary>Table pages in use, the root included.</summary>
    public PageCount TableCount => new(Tables.TableCount);

    internal AddressSpaces Owner { get; }

    internal SpaceParts Parts { get; }

    internal SpaceFamily Family { get; }

    internal SpaceLock Lock { get; }

    internal PageTables Tables { get; }

    internal AreaSet AreaSet { get; }

    internal PageLocks PageLocks => Owner.PageLocks;

    /// <summary>Whether a page of it was ever pinned, so that fork has to look. <b>Linux:</b> MMF_HAS_PINNED.</summary>
    internal bool HasPinned { get; set; } // set under Lock or before a pin is visible; read by fork under Lock

    /// <summary>Odd while a fork write-protects entries: a pin without the lock must not trust what it sees. <b>Linux:</b> write_protect_seq.</summary>
    internal ulong WriteProtectSequence => Volatile.Read(ref writeProtectSequence);

    /// <summary>Resident pages of a kind. <b>Linux:</b> get_mm_counter.</summary>
    /// <param name="kind">Which.</param>
    /// <returns>The count.</returns>
    public PageCount CountResident(RssKind kind) => new((ulong)Math.Max(0, Volatile.Read(ref rss[(int)kind])));

    /// <summary>Ends it: mirrors are released, everything is unmapped, files are let go. Twice does nothing.</summary>
    /// <remarks><b>Linux:</b> exit_mmap.</remarks>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isEnded, 1) != 0)
        {
            return;
        }

        Notifiers.Release();
        using (Lock.EnterWrite())
        {
            foreach (Area area in AreaSet.Areas)
            {
                ZapRange(area.Range);
            }

            ChangeAreas(() => AreaSet.TryUnmap(VirtAddr.Zero, AreaSet.Addresses.Length).ThrowIfError());
            Reconcile();
        }

        Family.Remove(this);
        Owner.Remove(this);
        WaitForRemovers();
        Tables.Dispose();
    }

    /// <summary>Waits until no access of the CPU uses a translation from before. <b>Linux:</b> flush_tlb_range.</summary>
    internal void FlushTlb()
    {
        using RankedLock.Guard _ = tlbGate.Enter();
    }

    /// <summary>Counts resident pages.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="pages">How many more, or less.</param>
    internal void CountRss(RssKind kind, long pages) => _ = Interlocked.Add(ref rss[(int)kind], pages);

    /// <summary>The area of an address, for who holds the lock.</summary>
    /// <param name="at">The address.</param>
    /// <returns>The area, or null.</returns>
    internal Area? FindArea(VirtAddr at) => AreaSet.Find(at);

    /// <summary>Areas as they are, for who does not hold the lock.</summary>
    /// <param name="wanted">Which; called under the areas' lock.</param>
    /// <param name="found">What to do with each; called under the areas' lock, entries may change.</param>
    internal void ForEachArea(Func<Area, bool> wanted, Action<Area> found)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        foreach (Area area in AreaSet.Areas)
        {
            if (wanted(area))
            {
                found(area);
            }
        }
    }

    /// <summary>Makes an address usable. <b>Linux:</b> handle_mm_fault.</summary>
    /// <remarks><b>Requires:</b> the lock, for reading, and that the area allows what is asked.</remarks>
    /// <param name="area">Its area.</param>
    /// <param name="at">The address.</param>
    /// <param name="flags">What for.</param>
    /// <returns>How it ended; done may mean: look again.</returns>
    internal FaultResult HandleFault(Area area, VirtAddr at, FaultFlags flags) => faults.Handle(area, at, flags);

    /// <summary>Recounts what it holds of others.</summary>
    internal void ValidateHolds() => backings.Validate();

    // Areas have changed: what none of them shows any more is let go.
    private void Reconcile()
    {
        files.Reconcile();
        backings.Reconcile();
    }

    private void ThrowIfEnded() => ObjectDisposedException.ThrowIf(IsEnded, this);

    // Areas change under the lock of the space and, for those who read them from outside, under the gate.
    private void ChangeAreas(Action change)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        change();
    }

    private Errno ChangeAreas(Func<Errno> change)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        return change();
    }
}
