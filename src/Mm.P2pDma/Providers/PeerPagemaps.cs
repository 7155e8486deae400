using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.Pagemaps;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Bars;

namespace Mm.P2pDma.Providers;

/// <summary>The parts of BARs that were given to peer-to-peer DMA with page descriptors, found by address.</summary>
/// <remarks>
/// Owns which page maps are of which BAR. The machine's registry decides what may have descriptors; pools, who uses them.
/// <para><b>Linux:</b> the checks of pci_p2pdma_add_resource, before those of memremap_pages (v6.12).</para>
/// <para><b>Invariants:</b> (1) page maps are disjoint and lie on granules of 2 MiB; (2) a page map stays here until it is
/// dead, so that nobody gives its addresses a second time.</para>
/// <para><b>Locking:</b> one lock, rank Leaf, for changes; look-ups take none. The registry is called without it.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class PeerPagemaps : IRangeOwnerSource
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly PagemapRegistry registry;
    private volatile Snapshot current = new([], 0); // replaced under gate

    internal PeerPagemaps(PagemapRegistry registry) => this.registry = registry;

    /// <inheritdoc/>
    public long Version => current.Version;

    /// <summary>The page maps that are not dead, by address.</summary>
    /// <returns>A list that later changes do not reach.</returns>
    public IReadOnlyList<PeerPagemap> Collect() => current.Maps;

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        ulong floor = 0;
        foreach (PeerPagemap map in current.Maps)
        {
            if (map.Range.Contains(address))
            {
                extent = map.Range;
                return map.Owner;
            }

            if (map.Range.Start > address)
            {
                extent = PhysRange.FromBounds(new PhysAddr(floor), map.Range.Start);
                return null;
            }

            floor = map.Range.Start.Value + map.Range.Length.Value;
        }

        extent = new PhysRange(new PhysAddr(floor), new ByteCount(ulong.MaxValue - floor));
        return null;
    }

    /// <summary>Gives a part of a BAR page descriptors.</summary>
    /// <param name="provider">The BAR's provider.</param>
    /// <param name="size">How many bytes; zero for the rest of the BAR.</param>
    /// <param name="offset">Where in the BAR.</param>
    /// <param name="map">The page map, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the offset is at or past the end of the BAR, the part ends beyond it, or it does not
    /// lie on granules of 2 MiB.
    /// <see cref="Errno.ENOMEM"/>: its first or last page has descriptors already, or no memory for descriptors.
    /// <see cref="Errno.EEXIST"/>: it lies around another page map, or touches one that is ending.
    /// <see cref="Errno.ENXIO"/>: it touches RAM.
    /// </returns>
    internal Errno TryAdd(BarProvider provider, ByteCount size, ByteCount offset, out PeerPagemap? map)
    {
        map = null;
        Errno errno = TryFindPart(provider.Aperture, size, offset, out PhysRange part);
        if (!errno.IsOk)
        {
            return errno;
        }

        var returns = new PeerPageReturns();
        var request = new PagemapRequest { Kind = PagemapKind.PciP2pDma, Ranges = [part], Owner = provider, Ops = returns };
        errno = registry.TryAdd(request, out Pagemap? pages);
        if (errno.IsOk)
        {
            map = new PeerPagemap(provider, part, pages!, returns, registry);
            Publish(map);
        }

        return errno;
    }

    /// <summary>Ends the page maps of a device: nothing new is taken from them, and each goes when nothing of it is in use.</summary>
    internal void Kill(PciDevice device)
    {
        foreach (PeerPagemap map in current.Maps.Where(map => map.Provider.Device == device))
        {
            map.Kill();
        }

        Sweep();
    }

    /// <summary>Forgets the page maps that are dead.</summary>
    internal void Sweep()
    {
        using (gate.Enter())
        {
            PeerPagemap[] rest = [.. current.Maps.Where(static map => !map.IsDead)];
            if (rest.Length != current.Maps.Length)
            {
                current = new Snapshot(rest, current.Version + 1);
            }
        }
    }

    private static Errno TryFindPart(PhysRange bar, ByteCount size, ByteCount offset, out PhysRange part)
    {
        part = default;
        if (offset >= bar.Length)
        {
            return Errno.EINVAL;
        }

        ByteCount rest = bar.Length.SubtractChecked(offset);
        ByteCount length = size.IsZero ? rest : size;
        if (length > rest)
        {
            return Errno.EINVAL;
        }

        part = bar.Slice(offset, length);
        return Errno.Ok;
    }

    private void Publish(PeerPagemap map)
    {
        using (gate.Enter())
        {
            PeerPagemap[] maps = [.. current.Maps.Where(static other => !other.IsDead), map];
            Array.Sort(maps, static (left, right) => left.Range.Start.CompareTo(right.Range.Start));
            current = new Snapshot(maps, current.Version + 1);
        }
    }

    private sealed class Snapshot(PeerPagemap[] maps, long version)
    {
        internal PeerPagemap[] Maps { get; } = maps;

        internal long Version { get; } = version;
    }
}
