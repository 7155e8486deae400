using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <content>Entries put back for many pages in a row.</content>
internal sealed partial class ReverseMap
{
    private SpaceFamily? FindFamily(AnonMapping mapping) => owner.FindFamily(mapping);

    /// <summary>Begins to put entries back for several pages.</summary>
    /// <returns>The run, which the caller ends.</returns>
    internal RestoreRun StartRestoring() => new(this);

    /// <summary>Puts entries back page after page, and enters a family's gate once for those in a row that are its pages.</summary>
    /// <remarks>
    /// <b>Linux:</b> remove_migration_ptes for each page (v6.12), which takes the root's lock for each.
    /// <para><b>Locking:</b> holds the gate of the last page's family until <see cref="End"/>. Belongs to one thread.</para>
    /// </remarks>
    /// <param name="map">The reverse map.</param>
    internal ref struct RestoreRun(ReverseMap map)
    {
        private readonly ReverseMap map = map;
        private SpaceFamily? family;
        private RankedLock.Guard guard;

        /// <summary>Puts entries back where migration entries name a page.</summary>
        /// <param name="source">The page that they name.</param>
        /// <param name="target">The page that they are to map: the same one, or where it lies now.</param>
        /// <param name="mapsZero">Whether an entry of a page that is all zeros becomes one of the page of zeros.</param>
        internal void Restore(Pfn source, Pfn target, bool mapsZero = false)
        {
            (ulong word, ulong index) = map.Frames.BelongsTo(target);
            var mapping = new AnonMapping(word);
            if (!mapping.IsAnonymous)
            {
                End();
                map.RestoreFilePage(source, target, word, index);
                return;
            }

            if (!TryEnter(mapping))
            {
                return;
            }

            ulong pages = map.Frames.HeadOf(target, out int order) == target ? 1UL << order : 1;
            bool isZero = mapsZero && map.IsZero(target);
            foreach (AddressSpace space in family!.Members)
            {
                bool isWhole = pages > 1 && space.TryRestoreLeaf(index, source, target);
                for (ulong part = 0; part < pages && !isWhole; part++)
                {
                    space.RestoreEntry(index + part, new Pfn(source.Value + part), new Pfn(target.Value + part), isZero);
                }
            }
        }

        /// <summary>Leaves the gate. Twice does nothing.</summary>
        internal void End()
        {
            if (family is not null)
            {
                family = null;
                guard.Dispose();
            }
        }

        private bool TryEnter(AnonMapping mapping)
        {
            if (family is not null && family.Id == mapping.Family)
            {
                return true;
            }

            End();
            if (map.FindFamily(mapping) is not { } found)
            {
                return false;
            }

            guard = found.Gate.Enter();
            family = found;
            return true;
        }
    }
}
