using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Reservations;

/// <summary>What a shared buffer waits for: fences with their usages, changed under a lock and read without.</summary>
/// <remarks>
/// Owns the list of fences, not the fences. Changes are members of the <see cref="ReservationLock"/> that
/// <see cref="Lock"/> gives, so that one without the lock cannot be written.
/// <para><b>Linux:</b> struct dma_resv (v6.12). Difference: the lock is one of a declared rank, not a wound-wait mutex, so
/// that a thread locks one reservation at a time.</para>
/// <para><b>Invariants:</b> (1) no fence of it is a container; (2) a reader sees each fence that was pending all the time
/// from its last restart to its end; (3) fences never outnumber the room that was reserved.</para>
/// <para><b>Locking:</b> <see cref="LockRank.Reservation"/> for changes. Callbacks of fences may run with it held.</para>
/// </remarks>
public sealed class Reservation
{
    private readonly RankedLock gate = new(LockRank.Reservation);
    private readonly Func<int, FenceSlots> makeSlots;
    private FenceSlots? slots;

    /// <summary>Makes a reservation without fences.</summary>
    /// <param name="contexts">The contexts of the machine.</param>
    public Reservation(FenceContexts contexts)
        : this(contexts, makeSlots: null)
    {
    }

    /// <summary>For tests that put a fault into the order of publication.</summary>
    internal Reservation(FenceContexts contexts, Func<int, FenceSlots>? makeSlots)
    {
        ArgumentNullException.ThrowIfNull(contexts);
        Contexts = contexts;
        this.makeSlots = makeSlots ?? (capacity => new FenceSlots(capacity, contexts.Points));
    }

    /// <summary>The contexts of the machine.</summary>
    public FenceContexts Contexts { get; }

    /// <summary>Whether a reader of the buffer need not wait: all writes have ended.</summary>
    public bool IsReadable => TestSignaled(FenceUsage.Write);

    /// <summary>Whether a writer of the buffer need not wait: all reads and writes have ended.</summary>
    public bool IsWritable => TestSignaled(FenceUsage.Read);

    internal IYieldPoints? Points => Contexts.Points;

    internal FenceSlots? Slots => Volatile.Read(ref slots);

    /// <summary>The thread that holds the lock; 0 for none.</summary>
    internal int Holder { get; set; }

    /// <summary>The usage up to which one waits before an access.</summary>
    /// <param name="isWrite">Whether the access writes.</param>
    /// <returns>Read for a writer, write for a reader.</returns>
    public static FenceUsage UsageOf(bool isWrite) => isWrite ? FenceUsage.Read : FenceUsage.Write;

    /// <summary>Enters the lock.</summary>
    /// <returns>The token, whose members change the reservation; disposing it leaves the lock.</returns>
    /// <exception cref="MmBugException">Checks are on, and the thread holds a reservation or a higher rank.</exception>
    public ReservationLock Lock() => new(this, gate.Enter());

    /// <summary>Enters the lock if nobody has it.</summary>
    /// <param name="held">The token; holds nothing when refused.</param>
    /// <returns>Whether the lock was entered.</returns>
    public bool TryLock(out ReservationLock held)
    {
        bool entered = gate.TryEnter(out RankedLock.Guard guard);
        held = entered ? new ReservationLock(this, guard) : default;
        return entered;
    }

    /// <summary>Reads the pending fences without the lock.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <returns>The reader, before the first fence.</returns>
    public ReservationReader Read(FenceUsage usage) => new(this, Checked(usage));

    /// <summary>Collects the pending fences without the lock.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <returns>The fences in the order of their slots.</returns>
    public IReadOnlyList<DmaFence> GetFences(FenceUsage usage)
    {
        var found = new List<DmaFence>();
        ReservationReader reader = Read(usage);
        while (reader.MoveNext())
        {
            if (reader.IsRestarted)
            {
                found.Clear();
            }

            found.Add(reader.Current);
        }

        // The end may come by a restart, too: a list that was exchanged for one with nothing pending.
        if (reader.IsRestarted)
        {
            found.Clear();
        }

        return found;
    }

    /// <summary>The pending fences as one.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <returns>The only one, an array over several, or null when nothing is pending.</returns>
    public DmaFence? GetSingleton(FenceUsage usage)
    {
        IReadOnlyList<DmaFence> fences = GetFences(usage);
        return fences.Count switch
        {
            0 => null,
            1 => fences[0],
            _ => new FenceArray([.. fences], Contexts.Next(), seqno: 1, signalsOnAny: false),
        };
    }

    /// <summary>Asks whether nothing is pending.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <returns>Whether all fences have signaled.</returns>
    public bool TestSignaled(FenceUsage usage)
    {
        ReservationReader reader = Read(usage);
        return !reader.MoveNext();
    }

    /// <summary>Waits for all fences, one after another, within one time-out. Zero asks only, and never blocks.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <param name="timeoutNs">How long at most for all, in nanoseconds of the machine's clock.</param>
    /// <param name="remainingNs">What is left of the time-out; 0 when refused.</param>
    /// <param name="cancellation">Interrupts the wait.</param>
    /// <returns>ETIME: time is over, and a fence is pending. EINTR: the wait was interrupted.</returns>
    public Errno Wait(FenceUsage usage, ulong timeoutNs, out ulong remainingNs, CancellationToken cancellation = default)
    {
        remainingNs = timeoutNs;
        ReservationReader reader = Read(usage);
        while (reader.MoveNext())
        {
            // A restart keeps what is left: time that has passed does not come back.
            Errno refused = reader.Current.Wait(remainingNs, out remainingNs, cancellation);
            if (!refused.IsOk)
            {
                return refused;
            }
        }

        return Errno.Ok;
    }

    /// <summary>Says by when somebody wants the fences signaled.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <param name="timeNs">The time on the machine's clock.</param>
    public void SetDeadline(FenceUsage usage, ulong timeNs)
    {
        ReservationReader reader = Read(usage);
        while (reader.MoveNext())
        {
            reader.Current.SetDeadline(timeNs);
        }
    }

    /// <summary>Makes a sync file of what an access would wait for.</summary>
    /// <param name="access">The access, with at least one bit.</param>
    /// <param name="file">A file that is ready when the access may begin; null when refused.</param>
    /// <returns>EINVAL: no access, or an unknown one.</returns>
    public Errno TryExportSyncFile(SyncAccess access, out SyncFile? file)
    {
        file = null;
        if (!IsLegal(access))
        {
            return Errno.EINVAL;
        }

        file = new SyncFile(GetSingleton(UsageOf(access.HasFlag(SyncAccess.Write))) ?? Contexts.Stub);
        return Errno.Ok;
    }

    /// <summary>Adds the fences of a sync file as those of an access. Takes the lock.</summary>
    /// <param name="access">The access, with at least one bit.</param>
    /// <param name="file">The file; null or closed is no file.</param>
    /// <returns>EINVAL: no access, an unknown one, or no open sync file.</returns>
    public Errno TryImportSyncFile(SyncAccess access, SyncFile? file)
    {
        if (!IsLegal(access) || file is null || file.IsClosed)
        {
            return Errno.EINVAL;
        }

        FenceUsage usage = access.HasFlag(SyncAccess.Write) ? FenceUsage.Write : FenceUsage.Read;
        DmaFence[] fences = [.. FenceUnwrap.Enumerate(file.Fence)];
        using ReservationLock held = Lock();
        held.Reserve(fences.Length);
        foreach (DmaFence fence in fences)
        {
            held.Add(fence, usage);
        }

        return Errno.Ok;
    }

    /// <summary>Enters the lock, or goes on in it where this thread holds it: for leases that end inside and outside.</summary>
    internal ReservationLock LockOrGoOn() =>
        Holder == Thread.CurrentThread.ManagedThreadId ? ReservationLock.Borrow(this) : Lock();

    internal static FenceUsage Checked(FenceUsage usage) => usage is >= FenceUsage.Kernel and <= FenceUsage.Bookkeep
        ? usage
        : throw new ArgumentOutOfRangeException(nameof(usage), usage, "a usage is kernel, write, read or bookkeep");

    internal FenceSlots NewSlots(int capacity) => makeSlots(capacity);

    internal void Exchange(FenceSlots next) => Volatile.Write(ref slots, next);

    private static bool IsLegal(SyncAccess access) =>
        access is SyncAccess.Read or SyncAccess.Write or (SyncAccess.Read | SyncAccess.Write);
}
