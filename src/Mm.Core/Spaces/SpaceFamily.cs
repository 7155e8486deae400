using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <summary>The address spaces that come from one another by fork: where an anonymous page may be mapped.</summary>
/// <remarks>
/// Owns the list and the lock of the reverse map. An anonymous page remembers its family and its index there; who looks
/// for its mappings looks in every member. Not responsible for page tables.
/// <para><b>Linux:</b> the root of the anon_vma tree (mm/rmap.c, v6.12). Deliberate difference: one family where Linux has
/// a tree of an anon_vma for each fork and area, so a page's search visits each process of the family once.</para>
/// <para><b>Locking:</b> <see cref="Gate"/>, rank <see cref="LockRank.ReverseMap"/>: held over a search, over a fork's copy
/// and over a move, so that no search misses an entry on its way.</para>
/// </remarks>
internal sealed class SpaceFamily
{
    private AddressSpace[] members = []; // replaced under gate; read with acquire

    /// <summary>A family without members.</summary>
    /// <param name="id">Its number, from 1.</param>
    internal SpaceFamily(ulong id) => Id = id;

    /// <summary>Its number.</summary>
    internal ulong Id { get; }

    /// <summary>The lock of the reverse map of its pages.</summary>
    internal RankedLock Gate { get; } = new(LockRank.ReverseMap);

    /// <summary>Room for a search of the reverse map, its searcher's while the gate is held.</summary>
    internal List<RmapSite> Sites { get; } = [];

    /// <summary>The members, oldest first: a parent stands before its children.</summary>
    internal ReadOnlySpan<AddressSpace> Members => Volatile.Read(ref members);

    /// <summary>A space joins.</summary>
    /// <param name="space">The space.</param>
    internal void Add(AddressSpace space)
    {
        using RankedLock.Guard _ = Gate.Enter();
        Volatile.Write(ref members, [.. members, space]);
    }

    /// <summary>A space ends.</summary>
    /// <param name="space">The space.</param>
    internal void Remove(AddressSpace space)
    {
        using RankedLock.Guard _ = Gate.Enter();
        Volatile.Write(ref members, Array.FindAll(members, member => member != space));
    }
}
