using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.Pagemaps;
using Mm.Hmm.Faulting;

namespace Mm.Hmm.Mirrors;

/// <content>What the CPU's tables say of a range, as the device sees it.</content>
public sealed partial class DeviceMirror
{
    /// <summary>Looks at a range without faulting.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="into">One word a page.</param>
    /// <returns>Ok; EINVAL: the process has ended.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages, or there is too little room.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_snapshot: it has a notifier of its own, which only notes that the moment has passed.</remarks>
    public Errno TrySnapshot(VirtRange range, Span<MirrorPage> into)
    {
        RequirePages(range);
        if ((ulong)into.Length != range.Length.Value >> PageSize.Small.Shift)
        {
            throw new ArgumentException($"into must have a word for each page of {range}; it has {into.Length}", nameof(into));
        }

        Errno errno = Space.Notifiers.TryInsert(range.Start, range.Length, new Watcher(gate), out IntervalNotifier? watch);
        if (!errno.IsOk)
        {
            return Errno.EINVAL;
        }

        using (watch)
        {
            var request = new HmmRange(watch!) { Owner = Device };
            request.Reset(range);
            do
            {
                request.Pfns.Clear();
                request.Sequence = watch!.ReadBegin();
                errno = RangeFault.TryFault(Space, request);
            }
            while (errno == Errno.EBUSY || !TryTell(watch, request, into));
        }

        return errno;
    }

    private bool TryTell(IntervalNotifier watch, HmmRange request, Span<MirrorPage> into)
    {
        using RankedLock.Guard _ = gate.Enter();
        if (watch.IsRetryNeeded(request.Sequence))
        {
            return false;
        }

        for (int index = 0; index < into.Length; index++)
        {
            into[index] = new MirrorPage(request.Pfns[index], PlaceOf(request.Pfns[index]));
        }

        return true;
    }

    // Linux: dmirror_mkentry.
    private MirrorPlace PlaceOf(HmmPfn word)
    {
        if (!word.IsValid)
        {
            return MirrorPlace.Nowhere;
        }

        if (word.Frame == Space.Owner.ZeroPage)
        {
            return MirrorPlace.ZeroPage;
        }

        if (!Space.Parts.Frames.IsDevice(word.Frame) || !Space.Parts.Pagemaps.TryFindHeld(word.Frame, out Pagemap? map))
        {
            return MirrorPlace.System;
        }

        bool isHere = map.Owner == Device;
        return map.Kind switch
        {
            PagemapKind.DevicePrivate => isHere ? MirrorPlace.PrivateHere : MirrorPlace.PrivateElsewhere,
            PagemapKind.DeviceCoherent => isHere ? MirrorPlace.CoherentHere : MirrorPlace.CoherentElsewhere,
            _ => MirrorPlace.System,
        };
    }

    private sealed class Watcher(RankedLock gate) : IIntervalListener
    {
        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
        {
            RankedLock.Guard guard = default;
            if (range.CanBlock)
            {
                guard = gate.Enter();
            }
            else if (!gate.TryEnter(out guard))
            {
                return false;
            }

            using (guard)
            {
                notifier.SetSequence(sequence);
                return true;
            }
        }
    }
}
