using Mm.Core.Locking;
using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <content>Fork.</content>
public sealed partial class AddressSpace
{
    private ulong writeProtectSequence; // written under Lock, for writing; odd while entries are write-protected

    /// <summary>Makes a copy of the space: pages are shared until one of both writes, but those that may be pinned, which stay the parent's.</summary>
    /// <param name="child">The copy; the caller disposes it.</param>
    /// <returns>Ok; ENOMEM: no memory for tables or for the copy of a pinned page, and nothing is left of the child; pages of
    /// the parent may have become read-only until they are next written.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> dup_mmap, copy_page_range.</remarks>
    public Errno TryFork(out AddressSpace? child)
    {
        ThrowIfEnded();
        child = null;
        using SpaceLock.Held held = Lock.EnterWrite();
        var copy = new AddressSpace(Owner, Family, Placement);
        copy.TakeAreasOf(this);
        Errno errno = Errno.Ok;
        var fork = new SpaceFork(this, copy);
        foreach (Area area in AreaSet.Areas)
        {
            if (errno.IsOk && (area.AnonRoot != 0 || area.Traits.IsSpecial))
            {
                errno = ForkArea(fork, area);
            }
        }

        FlushTlb();
        if (!errno.IsOk)
        {
            copy.Dispose();
            return errno;
        }

        child = Owner.Add(copy);
        return Errno.Ok;
    }

    private Errno ForkArea(SpaceFork fork, Area area)
    {
        NotifierInvalidation invalidation = default;
        if (area.Traits.IsCow)
        {
            var notice = new NotifierRange(area.Range, NotifierEvent.ProtectionPage) { CanBlock = true };
            Notifiers.TryInvalidate(notice, out invalidation).ThrowIfError();
        }

        using (invalidation)
        {
            Volatile.Write(ref writeProtectSequence, writeProtectSequence + 1);
            Parts.Points?.Reach("fork-protect");
            Errno errno;
            using (Family.Gate.Enter())
            {
                errno = fork.TryCopy(area);
            }

            FlushTlb();
            Volatile.Write(ref writeProtectSequence, writeProtectSequence + 1);
            return errno;
        }
    }

    private void TakeAreasOf(AddressSpace parent)
    {
        var copies = new List<Area>();
        foreach (Area area in parent.AreaSet.Areas)
        {
            files.Inherit(area.Traits);
            backings.Hold(area.Traits); // before entries are copied: who takes them away meanwhile finds the child
            copies.Add(area with
            {
                AnonRoot = area.AnonRoot == 0 ? 0 : Owner.NextRoot(),
                InheritedRoots = area.AnonRoot == 0 ? [] : [.. area.InheritedRoots, area.AnonRoot],
                Sequence = Owner.NextRoot(),
                FileOrder = area.FileOrder is [] ? [] : [.. area.FileOrder, -checked((long)Owner.NextRoot())],
            });
        }

        ChangeAreas(() => AreaSet.CopyFrom(copies));
        files.Reconcile();
    }
}
