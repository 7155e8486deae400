using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <content>On which nodes pages of the file come to lie, and how they change frames.</content>
public sealed partial class MemoryFile
{
    private readonly PolicyRanges policies = new(); // protected by gate

    /// <summary>The words of who makes pages without being a process; null: any page will do.</summary>
    internal Placement? OwnPlacement { get; init; }

    /// <summary>Which turn its first page has in interleaved memory, so that files do not all begin on one node. <b>Linux:</b> i_ino.</summary>
    internal ulong TurnBias => MappingWord >> 1;

    /// <summary>The policy of a page, whoever maps it. <b>Linux:</b> shmem_get_policy.</summary>
    /// <param name="index">Which page.</param>
    /// <returns>The policy; null: that of the process that brings the page.</returns>
    internal MemoryPolicy? PolicyOf(PageCount index)
    {
        using RankedLock.Guard _ = gate.Enter();
        return policies.Find(index);
    }

    /// <summary>Sets the policy of pages, for everybody. <b>Linux:</b> shmem_set_policy.</summary>
    /// <param name="first">The first page.</param>
    /// <param name="count">How many.</param>
    /// <param name="policy">The policy; null takes it away.</param>
    internal void SetPolicy(PageCount first, PageCount count, MemoryPolicy? policy)
    {
        using RankedLock.Guard _ = gate.Enter();
        policies.Set(first, count, policy);
    }

    /// <summary>A page of the file, made for a process if there is none yet.</summary>
    /// <param name="index">Which.</param>
    /// <param name="placement">The process's words.</param>
    /// <param name="page">A reference of it; the caller disposes it.</param>
    /// <returns>As <see cref="TryGetPage(PageCount, out PageRef)"/>.</returns>
    internal Errno TryGetPage(PageCount index, Placement placement, out PageRef page)
    {
        page = default;
        using RankedLock.Guard _ = gate.Enter();
        ThrowIfGone();
        Errno errno = TryMake(index.Value, placement, out PageRef own);
        return errno.IsOk ? own.TryAddReference(out page) : errno;
    }

    /// <summary>Puts another frame in the place of one of the file's, with its bytes.</summary>
    /// <param name="source">The file's page: locked, unmapped, held by the mover.</param>
    /// <param name="target">The frame that nobody else knows: locked, held by the mover.</param>
    /// <param name="copy">Copies the bytes; called while nobody reads or writes the file.</param>
    /// <returns>Whether it is done; if not, somebody else holds the page, or it has left the file, and nothing has changed.</returns>
    /// <remarks><b>Linux:</b> __folio_migrate_mapping of a page in the page cache.</remarks>
    internal bool TryReplacePage(Pfn source, PageRef target, Action<Pfn, Pfn> copy)
    {
        using RankedLock.Guard guard = gate.Enter();
        ulong index = target.Table.BelongsTo(source).Index;
        bool isOurs = pages.TryGetValue(index, out PageRef own) && own.Page == source;
        if (!isOurs || target.Table.ReferencesOf(source) != 2 || !target.TryAddReference(out PageRef kept).IsOk)
        {
            return false;
        }

        copy(source, target.Page);
        target.Table.SetBelongsTo(target.Page, MappingWord, index);
        _ = target.Table.SetFlags(target.Page, target.Table.FlagsOf(source) & PageMigration.KeptFlags);
        pages[index] = kept;
        Put(own);
        return true;
    }
}
