using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Hmm.Copying;

/// <summary>A list of pages to be written, and what became of each: rented, filled, submitted, read, given back.</summary>
/// <remarks>
/// Owns the list and the outcomes; not the pages. Taken from a <see cref="CopyJobPool"/> and used again, so that a page
/// costs no object.
/// <para><b>Linux:</b> none; a driver's job for its copy engine, with the src and dst arrays of struct migrate_vma.</para>
/// <para><b>States:</b> see <see cref="CopyJobState"/>: filling → in flight → signaling → signaled → free. A job that is
/// given back while in flight is the pool's when its work has ended; its pages must stay until then.</para>
/// <para><b>Invariants:</b> (1) whoever sees it signaled sees every outcome and every written byte; (2) a page whose
/// outcome nobody reported is not written; (3) its fence signals once a submission.</para>
/// <para><b>Locking:</b> belongs to its renter, while in flight to the engine; state and fence are safe from any thread.</para>
/// </remarks>
public sealed partial class CopyJob : IDisposable
{
    private const int LargestKept = 1 << 13; // entries; longer lists are left to the collector
    private const int GivenBack = 8; // a bit beside the state of a job in flight: its renter is gone

    private readonly CopyJobPool pool;
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly WaitQueue waiters;
    private readonly Func<bool> isSignaled; // made once: waiting allocates nothing
    private readonly List<Action<CopyFence>> callbacks = []; // protected by gate until signaling, then the signaler's
    private PageCopy[] copies = new PageCopy[16];
    private Errno[] outcomes = new Errno[16];
    private PageUse[] uses = []; // for the contract, where checks are on
    private Func<bool>? step; // of the engine whose waiters drive it
    private Errno error; // written before signaling, read after
    private long generation; // atomic; each renting is another
    private int count;
    private int word; // atomic: a CopyJobState, and GivenBack

    internal CopyJob(CopyJobPool pool)
    {
        this.pool = pool;
        waiters = new WaitQueue(pool.Points);
        isSignaled = () => State == CopyJobState.Signaled;
    }

    /// <summary>How many pages, of whatever size, it lists.</summary>
    public int Count => count;

    /// <summary>Whose it is.</summary>
    public CopyJobState State => (CopyJobState)(Volatile.Read(ref word) & ~GivenBack);

    /// <summary>What signals when its work has ended.</summary>
    public CopyFence Fence => new(this, Generation);

    /// <summary>The pages of 4 KiB that were wholly written.</summary>
    /// <exception cref="InvalidOperationException">The fence has not signaled.</exception>
    public PageCount WrittenPages
    {
        get
        {
            RequireSignaled();
            ulong pages = 0;
            for (int index = 0; index < count; index++)
            {
                pages += outcomes[index].IsOk ? copies[index].Size.Pages.Value : 0;
            }

            return new PageCount(pages);
        }
    }

    internal long Generation => Volatile.Read(ref generation);

    internal Errno SignaledError => State >= CopyJobState.Signaling ? error : Errno.Ok;

    /// <summary>One page of the list.</summary>
    /// <param name="index">Which, in the order of adding.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is none of that index.</exception>
    public PageCopy this[int index]
    {
        get
        {
            RequireIndex(index);
            return copies[index];
        }
    }

    /// <summary>Adds a page. An engine may write the pages in any order.</summary>
    /// <param name="copy">What to write.</param>
    /// <exception cref="InvalidOperationException">The job is not being filled.</exception>
    public void Add(PageCopy copy)
    {
        RequireState(CopyJobState.Filling);
        if (count == copies.Length)
        {
            Array.Resize(ref copies, count * 2);
            Array.Resize(ref outcomes, count * 2);
        }

        copies[count] = copy;
        outcomes[count] = Errno.ECANCELED; // until somebody says otherwise: invariant 2
        count++;
    }

    /// <summary>Whether a page was wholly written.</summary>
    /// <param name="index">Which, in the order of adding.</param>
    /// <returns>Whether it was; what is not may hold anything.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is none of that index.</exception>
    /// <exception cref="InvalidOperationException">The fence has not signaled.</exception>
    public bool IsWritten(int index) => OutcomeOf(index).IsOk;

    /// <summary>Why a page was not wholly written.</summary>
    /// <param name="index">Which, in the order of adding.</param>
    /// <returns>
    /// <see cref="Errno.EIO"/>, <see cref="Errno.EHWPOISON"/>: its copy broke off. <see cref="Errno.ENXIO"/>: the engine
    /// cannot reach the page, or its source. <see cref="Errno.ECANCELED"/>: it was not tried, because one before failed or
    /// the engine ended.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">There is none of that index.</exception>
    /// <exception cref="InvalidOperationException">The fence has not signaled.</exception>
    public Errno OutcomeOf(int index)
    {
        RequireIndex(index);
        RequireSignaled();
        return outcomes[index];
    }

    /// <summary>Gives the job back; in flight, when its work has ended. Not to be used afterwards, nor waited for by anybody.</summary>
    /// <exception cref="ObjectDisposedException">It was given back before.</exception>
    public void Dispose()
    {
        pool.Points?.Reach("copy-give-back");
        int before;
        bool isInFlight;
        do
        {
            before = Volatile.Read(ref word);
            ObjectDisposedException.ThrowIf((CopyJobState)before == CopyJobState.Free || (before & GivenBack) != 0, this);
            isInFlight = (CopyJobState)before is CopyJobState.InFlight or CopyJobState.Signaling;
        }
        while (Interlocked.CompareExchange(ref word, isInFlight ? before | GivenBack : (int)CopyJobState.Free, before) != before);

        if (!isInFlight)
        {
            Recycle();
        }
    }

    /// <summary>The list as the contract looks at it.</summary>
    internal ReadOnlySpan<PageCopy> Copies => copies.AsSpan(0, count);

    /// <summary>The frames that the list reads and writes, in no order, in room that the job keeps.</summary>
    internal Span<PageUse> Uses()
    {
        if (uses.Length < count * 2)
        {
            uses = new PageUse[copies.Length * 2];
        }

        int used = 0;
        foreach (PageCopy copy in Copies)
        {
            ulong pages = copy.Size.Pages.Value;
            uses[used++] = new PageUse(copy.Destination.Value, copy.Destination.Value + pages, IsWritten: true);
            if (!copy.IsClear)
            {
                uses[used++] = new PageUse(copy.Source.Value, copy.Source.Value + pages, IsWritten: false);
            }
        }

        return uses.AsSpan(0, used);
    }

    /// <summary>Out of the pool, and its renter's.</summary>
    internal void Open()
    {
        Check.That(Interlocked.Exchange(ref word, (int)CopyJobState.Filling) == (int)CopyJobState.Free, "a pooled job is free");
    }

    private void Recycle()
    {
        Interlocked.Increment(ref generation); // every fence of this renting is stale from here on
        step = null;
        error = Errno.Ok;
        callbacks.Clear();
        if (copies.Length > LargestKept)
        {
            copies = new PageCopy[16];
            outcomes = new Errno[16];
            uses = [];
        }

        count = 0;
        pool.Return(this);
    }

    private void RequireIndex(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
    }

    private void RequireSignaled()
    {
        if (State < CopyJobState.Signaling)
        {
            throw new InvalidOperationException($"outcomes are known when the fence has signaled; the job is {State}");
        }
    }

    private void RequireState(CopyJobState wanted)
    {
        CopyJobState found = State;
        if (found != wanted)
        {
            ThrowState(wanted, found);
        }
    }

    [DoesNotReturn]
    private static void ThrowState(CopyJobState wanted, CopyJobState found) =>
        throw new InvalidOperationException($"the job must be {wanted}; it is {found}");
}
