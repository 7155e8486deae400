using Mm.Core.Locking;
using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <content>Devices that reach memory of other devices behind a process's addresses.</content>
public sealed partial class AddressSpace
{
    // Each time the owner is asked it may move its object once; an owner that never rests is told so.
    private const int PeerRounds = 16;

    /// <summary>Asks the owner of an area for addresses by which a device reaches what the area shows. No page is touched, taken or
    /// pinned, whatever the owner says.</summary>
    /// <param name="range">Which addresses; pages of one area.</param>
    /// <param name="import">For whom.</param>
    /// <param name="mapping">The addresses, good until the range is invalidated; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: not whole pages, not all of one area, or of several kinds or owners; EFAULT: no area, or one that may
    /// not be read; EPERM: writing is asked for, and the area forbids it; EOPNOTSUPP: the area's owner shares nothing, or not with
    /// this device; EBUSY: the memory moved as often as it was asked for; and what else the owner refuses with.</returns>
    /// <exception cref="ArgumentException">The owner's addresses are not as many bytes as were asked for.</exception>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> in no release: p2p_map, as proposed in 2019.</remarks>
    public Errno TryMapPeer(VirtRange range, PeerImport import, out PeerAreaMapping? mapping)
    {
        ThrowIfEnded();
        ArgumentNullException.ThrowIfNull(import);
        mapping = null;
        bool isPages = ((range.Start.Value | range.Length.Value) & PageMask) == 0 && !range.IsEmpty;
        if (!isPages)
        {
            return Errno.EINVAL;
        }

        Errno errno = PeerAreaMapping.TryCreate(this, range, import, out PeerAreaMapping? made);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = Errno.EBUSY;
        try
        {
            for (int round = 0; errno == Errno.EBUSY && round < PeerRounds; round++)
            {
                NotifierSequence since = made!.Begin();
                using SpaceLock.Held held = Lock.EnterRead();
                errno = TryAskPeer(range, import, made, since);
            }

            mapping = errno.IsOk ? made : null;
            return errno;
        }
        finally
        {
            if (mapping is null)
            {
                made!.Dispose();
            }
        }
    }

    private Errno TryAskPeer(VirtRange range, PeerImport import, PeerAreaMapping mapping, NotifierSequence since)
    {
        Errno errno = TryFindPeer(range, import, out PeerAreaRequest request, out IPeerAreaOperations? owner);
        if (!errno.IsOk)
        {
            return errno;
        }

        import.Ranges.Clear();
        errno = owner!.TryMapPeer(request, import.Ranges);
        if (!errno.IsOk)
        {
            import.Ranges.Clear();
            return errno;
        }

        if (import.Ranges.Length != range.Length)
        {
            owner.UnmapPeer(request);
            throw new ArgumentException(
                $"the owner of {request.Area} was asked for {range.Length}, and gave {import.Ranges.Length}", nameof(import));
        }

        errno = mapping.TryOpen(request, owner, since);
        if (!errno.IsOk)
        {
            owner.UnmapPeer(request);
        }

        return errno;
    }

    private Errno TryFindPeer(VirtRange range, PeerImport import, out PeerAreaRequest request, out IPeerAreaOperations? owner)
    {
        request = default;
        owner = null;
        if (FindArea(range.Start) is not { } area)
        {
            return Errno.EFAULT;
        }

        if (!area.Range.Contains(range))
        {
            return Errno.EINVAL;
        }

        owner = (area.Traits.Backing as AreaBacking)?.Operations as IPeerAreaOperations;
        request = new PeerAreaRequest(area, area.OffsetOf(range.Start), range.Length.ToPagesRoundDown(), import.Device, import.IsWrite);
        return !area.IsReadable ? Errno.EFAULT
            : import.IsWrite && !area.IsWritable ? Errno.EPERM
            : owner is null || !area.Traits.IsShared ? Errno.EOPNOTSUPP // a private area may show copies, which are not the owner's
            : Errno.Ok;
    }
}
