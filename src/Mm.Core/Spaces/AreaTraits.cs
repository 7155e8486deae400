using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <summary>All that an area is, apart from where: two neighbours that agree in it are one area.</summary>
/// <remarks>
/// <b>Linux:</b> vm_flags, vm_file, vm_policy and the anonymous name (v6.12), what is_mergeable_vma compares. The offset is apart.
/// <para><c>default</c> is private anonymous memory that nothing may be done with. Immutable.</para>
/// </remarks>
/// <param name="Kind">What stands behind it.</param>
/// <param name="Access">What the process may do.</param>
public readonly record struct AreaTraits(AreaKind Kind, AreaAccess Access)
{
    /// <summary>What the process may never do, whatever it asks later. <b>Linux:</b> VM_MAYREAD and VM_MAYWRITE, missing.</summary>
    public AreaAccess Forbidden { get; init; }

    /// <summary>The file, the <see cref="AreaBacking"/> or whatever else, compared by reference; null for anonymous private memory.</summary>
    public object? Backing { get; init; }

    /// <summary>The name that the process gave it. <b>Linux:</b> PR_SET_VMA_ANON_NAME.</summary>
    public string? Name { get; init; }

    /// <summary>Whether the process asked for pages of 2 MiB. <b>Linux:</b> VM_HUGEPAGE.</summary>
    public bool WantsHugePages { get; init; }

    /// <summary>Of a special kind: whether writes are the process's own. Other kinds say so themselves. <b>Linux:</b> MAP_PRIVATE.</summary>
    public bool IsPrivate { get; init; }

    /// <summary>From which nodes its pages are to come; null: as the process says. <b>Linux:</b> vm_policy.</summary>
    public MemoryPolicy? Policy { get; init; }

    /// <summary>Whether it counts against the memory that may be promised, which mapping and protecting decide.
    /// <b>Linux:</b> VM_ACCOUNT; it keeps areas apart that are alike otherwise.</summary>
    public bool IsAccounted { get; internal init; }

    /// <summary>Whether pages copied on write are the process's own. <b>Linux:</b> is_cow_mapping.</summary>
    public bool IsCow => !IsShared && (Forbidden & AreaAccess.Write) == AreaAccess.None;

    /// <summary>Whether writes are seen by others. <b>Linux:</b> VM_SHARED or VM_MAYSHARE.</summary>
    public bool IsShared => !(Kind is AreaKind.AnonymousPrivate or AreaKind.FilePrivate || (IsSpecial && IsPrivate));

    /// <summary>Whether it is a driver's: it merges with no neighbour, and its pages stay where they are. <b>Linux:</b> VM_SPECIAL.</summary>
    public bool IsSpecial => Kind is AreaKind.PfnMapped or AreaKind.Mixed or AreaKind.DeviceMemory or AreaKind.PeerMemory;

    /// <summary>Whether it shows frames that nobody counts: no pin, no range fault, no growing. <b>Linux:</b> VM_PFNMAP, VM_IO.</summary>
    public bool IsBare => Kind is AreaKind.PfnMapped or AreaKind.DeviceMemory;

    /// <summary>The traits of an area that is mapped so. <b>Linux:</b> accountable_mapping.</summary>
    internal AreaTraits WhenMapped => this with { IsAccounted = IsPromised };

    // Private memory that may be written: each page of it may come to need one of RAM.
    private bool IsPromised => !IsShared && (Access & AreaAccess.Write) != AreaAccess.None;

    /// <summary>The traits after a change of access. What was promised once stays so, unless it has had no pages of its own.</summary>
    /// <param name="access">What the process may do from now on.</param>
    /// <param name="hasRoot">Whether the area may have pages of its own.</param>
    /// <returns>The traits. <b>Linux:</b> mprotect_fixup.</returns>
    internal AreaTraits WhenProtected(AreaAccess access, bool hasRoot)
    {
        AreaTraits after = this with { Access = access };
        bool isUnused = Kind == AreaKind.AnonymousPrivate && !hasRoot;
        return after with { IsAccounted = after.IsPromised || (IsAccounted && !isUnused) };
    }
}
