using Mm.Core.PhysRanges;

namespace Mm.Core.Spaces;

/// <summary>What an area's owner may offer besides: other devices reach what is behind the area, by addresses, without pages and pins.</summary>
/// <remarks>
/// The owner decides, and may first move its object to where it can be shared. What it gives is good until the range is
/// invalidated: so it moves or takes away nothing before <see cref="AreaBacking.Unmap(PageCount, PageCount, bool)"/> has told
/// everybody.
/// <para><b>Linux:</b> in no release: p2p_map and p2p_unmap of vm_operations_struct, as J. Glisse proposed them in January 2019
/// ("mm/vma: add support for peer to peer to device vma").</para>
/// <para><b>Locking:</b> called with no ranked lock of Mm; <see cref="TryMapPeer"/> with the space's lock held for reading,
/// <see cref="UnmapPeer"/> perhaps.</para>
/// </remarks>
public interface IPeerAreaOperations : IAreaOperations
{
    /// <summary>A device asks for addresses of what a part of an area shows.</summary>
    /// <param name="request">Which part, for whom.</param>
    /// <param name="ranges">Takes the addresses, as many bytes as are asked for; all of one owner, or the request is refused.</param>
    /// <returns>Ok; EOPNOTSUPP: not this memory, or not for this device; ENODEV: it is gone; ENOMEM: no memory where it could be
    /// shared.</returns>
    Errno TryMapPeer(PeerAreaRequest request, PhysRangeListBuilder ranges);

    /// <summary>The device is done. Called once for each answer that was Ok, also where it had been taken away.</summary>
    /// <param name="request">What it had asked for.</param>
    void UnmapPeer(PeerAreaRequest request)
    {
    }
}
