using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <summary>What a driver lets processes map: registers, device memory, pages of its own; and who maps it now.</summary>
/// <remarks>
/// Owns the list of spaces that map it. Not responsible for the memory behind it, which is the owner's of
/// <see cref="Operations"/>.
/// <para><b>Linux:</b> a device file with its address_space, and the flags that its mmap sets (v6.12).</para>
/// <para><b>Invariants:</b> (1) a space is listed once, exactly while an area of it shows the backing; (2) when
/// <see cref="Unmap(PageCount, PageCount, bool)"/> has returned, no entry from before is left and no CPU uses one.</para>
/// <para><b>Locking:</b> safe from any thread; one lock of rank Leaf, under which nobody is called.</para>
/// </remarks>
public sealed class AreaBacking
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<AddressSpace> spaces = []; // protected by gate, parents before children

    /// <summary>Makes something to map.</summary>
    /// <param name="kind">One of the special kinds: what its entries are.</param>
    /// <param name="operations">What its owner does.</param>
    /// <exception cref="ArgumentException"><paramref name="kind"/> is memory of processes or of files.</exception>
    public AreaBacking(AreaKind kind, IAreaOperations operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        if (kind < AreaKind.PfnMapped)
        {
            throw new ArgumentException($"kind must be special: PfnMapped, Mixed, DeviceMemory or PeerMemory; it is {kind}", nameof(kind));
        }

        Kind = kind;
        Operations = operations;
    }

    /// <summary>Where an entry of a page can be made to fail.</summary>
    public static FaultPoint InsertFault { get; } = new("fail_vm_insert");

    /// <summary>What its entries are.</summary>
    public AreaKind Kind { get; }

    /// <summary>What its owner does.</summary>
    public IAreaOperations Operations { get; }

    /// <summary>How many spaces map it.</summary>
    public int SpaceCount => CollectSpaces().Length;

    /// <summary>What an area of it is, for an <see cref="AreaRequest"/>.</summary>
    /// <param name="access">What the process may do.</param>
    /// <param name="isPrivate">Whether its writes are its own. <b>Linux:</b> MAP_PRIVATE.</param>
    /// <returns>The traits.</returns>
    public AreaTraits Describe(AreaAccess access, bool isPrivate = false) =>
        new(Kind, access) { Backing = this, IsPrivate = isPrivate };

    /// <summary>Takes all entries away, in every space: the next touch asks the owner again.</summary>
    public void Unmap() => Unmap(PageCount.Zero, new PageCount(ulong.MaxValue));

    /// <summary>Takes entries away, in every space. Mirrors are told before. Takes no space's lock, so that it may be called with
    /// a lock held that faults take; none of rank ReverseMap or after.</summary>
    /// <param name="first">The first page.</param>
    /// <param name="count">How many; more than there are is no harm.</param>
    /// <param name="keepsCopies">Whether a process keeps pages that it has copied by writing. <b>Linux:</b> even_cows, not.</param>
    /// <remarks><b>Linux:</b> unmap_mapping_range (v6.12).</remarks>
    public void Unmap(PageCount first, PageCount count, bool keepsCopies = false)
    {
        ulong end = count.Value > ulong.MaxValue - first.Value ? ulong.MaxValue : first.Value + count.Value;
        var done = new HashSet<AddressSpace>();
        AddressSpace[] next = CollectSpaces();
        while (next.Length != 0)
        {
            foreach (AddressSpace space in next)
            {
                space.RemoveBackedPages(this, first, new PageCount(end), keepsCopies);
            }

            // A fork may have copied entries before they went: its child was listed before that.
            done.UnionWith(next);
            next = Array.FindAll(CollectSpaces(), space => !done.Contains(space));
        }
    }

    /// <summary>The spaces that map it.</summary>
    /// <returns>A copy, parents before children.</returns>
    internal AddressSpace[] CollectSpaces()
    {
        using RankedLock.Guard _ = gate.Enter();
        return [.. spaces];
    }

    /// <summary>A space maps it from now on.</summary>
    /// <param name="space">The space.</param>
    internal void Add(AddressSpace space)
    {
        using (gate.Enter())
        {
            spaces.Add(space);
        }

        Operations.Opened(space);
    }

    /// <summary>A space maps it no more.</summary>
    /// <param name="space">The space.</param>
    internal void Remove(AddressSpace space)
    {
        using (gate.Enter())
        {
            _ = spaces.Remove(space);
        }

        Operations.Closed(space);
    }
}
