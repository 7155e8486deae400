using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Notifiers;

/// <summary>The listeners to everything that happens in one address space.</summary>
/// <remarks>
/// <b>Linux:</b> the list of struct mmu_notifier_subscriptions (mm/mmu_notifier.c, v6.12).
/// <para><b>Locking:</b> safe from any thread; listeners are called with no lock of this class held.</para>
/// </remarks>
internal sealed class NotifierListeners
{
    private readonly RankedLock gate = new(LockRank.Notifiers);
    private IMmuNotifier[] listeners = []; // replaced under gate, read by anybody; the newest first, as in Linux
    private bool hasEnded; // protected by gate

    public Errno TryAdd(IMmuNotifier listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        const MmuNotifierOps Ranges = MmuNotifierOps.Start | MmuNotifierOps.End;
        if (Wants(listener, MmuNotifierOps.SecondaryTlb) && Wants(listener, Ranges))
        {
            return Errno.EINVAL;
        }

        using RankedLock.Guard guard = gate.Enter();
        if (hasEnded)
        {
            return Errno.EINVAL;
        }

        if (Array.IndexOf(listeners, listener) >= 0)
        {
            return Errno.EEXIST;
        }

        Volatile.Write(ref listeners, [listener, .. listeners]);
        return Errno.Ok;
    }

    public Errno TryRemove(IMmuNotifier listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        using (gate.Enter())
        {
            int at = Array.IndexOf(listeners, listener);
            if (at < 0)
            {
                return Errno.ENOENT;
            }

            Volatile.Write(ref listeners, [.. listeners[..at], .. listeners[(at + 1)..]]);
        }

        listener.OnRelease();
        return Errno.Ok;
    }

    /// <summary>Ends the address space: every listener is told, and nobody registers any more.</summary>
    public void Release()
    {
        IMmuNotifier[] told;
        using (gate.Enter())
        {
            hasEnded = true;
            told = listeners;
            Volatile.Write(ref listeners, []);
        }

        foreach (IMmuNotifier listener in told)
        {
            listener.OnRelease();
        }
    }

    /// <summary>Tells the start of an invalidation; when one refuses, those that want ends are told the end too.</summary>
    public bool TryStart(in NotifierRange range)
    {
        bool isRefused = false;
        foreach (IMmuNotifier listener in Volatile.Read(ref listeners))
        {
            if (!Wants(listener, MmuNotifierOps.Start))
            {
                continue;
            }

            Errno errno = listener.OnStart(range);
            if (!errno.IsOk)
            {
                Check.That(!range.CanBlock && errno == Errno.EAGAIN, $"a listener answered {errno} to {range.Event}");
                Check.That(!Wants(listener, MmuNotifierOps.End), "a listener that wants ends refused a start");
                isRefused = true;
            }
        }

        if (isRefused)
        {
            End(range); // those that did not refuse expect their end
        }

        return !isRefused;
    }

    public void End(in NotifierRange range)
    {
        foreach (IMmuNotifier listener in Volatile.Read(ref listeners))
        {
            if (Wants(listener, MmuNotifierOps.End))
            {
                listener.OnEnd(range);
            }
        }
    }

    public void FlushSecondaryTlbs(VirtRange range)
    {
        foreach (IMmuNotifier listener in Volatile.Read(ref listeners))
        {
            if (Wants(listener, MmuNotifierOps.SecondaryTlb))
            {
                listener.OnSecondaryTlbFlush(range);
            }
        }
    }

    private static bool Wants(IMmuNotifier listener, MmuNotifierOps any) => (listener.Ops & any) != MmuNotifierOps.None;
}
