using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.PhysRanges;

namespace Mm.Core.Spaces;

/// <summary>Addresses of what is behind a part of an area, for one device, until the part is invalidated.</summary>
/// <remarks>
/// Owns the list, and a subscription to the part's invalidations. Holds no page and pins nothing: the owner's object moves
/// when it likes, and this ends.
/// <para><b>Linux:</b> what p2p_map answered, up to p2p_unmap, as proposed in 2019.</para>
/// <para><b>States:</b> valid → ended, by the first invalidation of any page of it or by <see cref="Dispose"/>.</para>
/// <para><b>Invariants:</b> (1) its addresses are all of one owner; (2) ended, it never becomes valid again; (3) its owner hears
/// of its end once, when it is disposed.</para>
/// <para><b>Locking:</b> safe from any thread; a lock of rank Mirror. Dispose with no lock held, and not from an invalidation.</para>
/// </remarks>
public sealed class PeerAreaMapping : IIntervalListener, IDisposable
{
    private readonly RankedLock gate = new(LockRank.Mirror);
    private readonly ValiditySource life = new();
    private readonly PeerImport import;
    private IPeerAreaOperations? operations; // written once, by TryOpen
    private PeerAreaRequest request; // written with it
    private IntervalNotifier? notifier; // written before anybody else knows the mapping
    private PhysRangeList? list; // protected by gate
    private int isDisposed; // atomic

    private PeerAreaMapping(PeerImport import) => this.import = import;

    /// <summary>Where the bytes are, in the order of the addresses; the device maps this. It ends when the mapping does.</summary>
    /// <exception cref="ObjectDisposedException">The mapping was disposed.</exception>
    public PhysRangeList List
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            ObjectDisposedException.ThrowIf(list is null, this);
            return list;
        }
    }

    /// <summary>Whether the addresses are still good. To be asked under the lock that <see cref="PeerImport.Ended"/> takes.</summary>
    public bool IsValid
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return list is { IsValid: true };
        }
    }

    /// <inheritdoc/>
    public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
    {
        ArgumentNullException.ThrowIfNull(notifier);
        bool hasEnded;
        using (gate.Enter())
        {
            notifier.SetSequence(sequence);
            hasEnded = list is { IsValid: true };
            life.Invalidate();
        }

        if (hasEnded)
        {
            import.Ended?.Invoke();
        }

        return true;
    }

    /// <summary>Says that the device is done. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }

        notifier?.Dispose();
        PhysRangeList? old;
        using (gate.Enter())
        {
            life.Invalidate();
            old = list;
            list = null;
        }

        if (old is not null)
        {
            old.Dispose();
            operations!.UnmapPeer(request);
        }
    }

    /// <summary>Subscribes a new one.</summary>
    /// <param name="space">Whose memory.</param>
    /// <param name="range">Which part.</param>
    /// <param name="import">For whom.</param>
    /// <param name="mapping">The mapping, not open yet; null when refused.</param>
    /// <returns>Ok; EOVERFLOW: no addresses; EINVAL: the space has ended.</returns>
    internal static Errno TryCreate(AddressSpace space, VirtRange range, PeerImport import, out PeerAreaMapping? mapping)
    {
        var made = new PeerAreaMapping(import);
        Errno errno = space.Notifiers.TryInsert(range.Start, range.Length, made, out made.notifier);
        mapping = errno.IsOk ? made : null;
        return errno;
    }

    /// <summary>Takes a moment before the owner is asked.</summary>
    /// <returns>The moment.</returns>
    internal NotifierSequence Begin() => notifier!.ReadBegin();

    /// <summary>Opens it with the owner's answer, unless that is stale already.</summary>
    /// <param name="asked">What the owner was asked.</param>
    /// <param name="owner">The owner.</param>
    /// <param name="since">The moment before.</param>
    /// <returns>Ok; EBUSY: the part was invalidated since; EINVAL: the addresses are of several owners.</returns>
    internal Errno TryOpen(PeerAreaRequest asked, IPeerAreaOperations owner, NotifierSequence since)
    {
        using RankedLock.Guard _ = gate.Enter();
        PhysRangeList made = import.Ranges.Build(life.Token);
        Errno errno = made.SingleOwner is null ? Errno.EINVAL
            : notifier!.IsRetryNeeded(since) ? Errno.EBUSY
            : Errno.Ok;
        if (!errno.IsOk)
        {
            made.Dispose();
            return errno;
        }

        list = made;
        request = asked;
        operations = owner;
        return Errno.Ok;
    }
}
