using Mm.Core;
using Mm.Core.Spaces;

namespace Mm.Devices.Rdma;

/// <summary>A NIC as one process has opened it: what it made of it ends with it.</summary>
/// <remarks>
/// Owns the process's protection domains, queue pairs and regions, and the account of pages that its regions pin.
/// <para><b>Linux:</b> struct ib_ucontext, mm_struct::pinned_vm, can_do_mlock (v6.12). Difference: the account is the
/// context's, where Linux has one a process for all its devices.</para>
/// <para><b>States:</b> open → closed, by <see cref="Dispose"/> or because the NIC is gone.</para>
/// <para><b>Locking:</b> the wire's lock; the account is atomic.</para>
/// </remarks>
public sealed class RdmaContext : IDisposable
{
    private readonly List<RdmaQueuePair> pairs = []; // this and the next: protected by the wire's lock
    private bool isClosed;
    private long pinned; // atomic

    internal RdmaContext(RdmaNic nic, AddressSpace space, PageCount memlock, bool mayLockAll)
    {
        Nic = nic;
        Space = space;
        MemlockLimit = memlock;
        MayLockAll = mayLockAll;
    }

    /// <summary>The NIC.</summary>
    public RdmaNic Nic { get; }

    /// <summary>The process's addresses.</summary>
    public AddressSpace Space { get; }

    /// <summary>How many pages may be pinned.</summary>
    public PageCount MemlockLimit { get; }

    /// <summary>Whether more may be pinned than that.</summary>
    public bool MayLockAll { get; }

    /// <summary>How many pages its regions have pinned, each region's counted apart.</summary>
    public PageCount PinnedPages => new((ulong)Interlocked.Read(ref pinned));

    /// <summary>Whether anything may be pinned at all.</summary>
    internal bool CanLock => MayLockAll || !MemlockLimit.IsZero;

    internal IReadOnlyList<RdmaQueuePair> QueuePairs => pairs;

    /// <summary>Makes a protection domain: regions and queue pairs of one work together.</summary>
    /// <param name="domain">The domain; null when refused.</param>
    /// <returns>Ok; ENODEV: the NIC is gone, or this is closed; ENOMEM: no memory.</returns>
    public Errno TryCreateDomain(out ProtectionDomain? domain)
    {
        domain = null;
        lock (Nic.Wire.Gate)
        {
            if (isClosed || Nic.Machine.Faults.ShouldFail(FaultPoint.Slab))
            {
                return isClosed ? Errno.ENODEV : Errno.ENOMEM;
            }

            domain = new ProtectionDomain(this);
            return Errno.Ok;
        }
    }

    /// <summary>Closes it: queue pairs are in error, regions are deregistered. Twice does nothing.</summary>
    public void Dispose()
    {
        lock (Nic.Wire.Gate)
        {
            if (isClosed)
            {
                return;
            }

            isClosed = true;
            foreach (RdmaQueuePair pair in pairs)
            {
                pair.Fail();
            }

            pairs.Clear();
        }

        foreach (MemoryRegion region in Nic.Keys.Collect().Where(region => region.Domain.Context == this))
        {
            region.Dispose();
        }

        Nic.Forget(this);
    }

    /// <summary>Whose it is.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Nic.Name}, {PinnedPages} pinned of {MemlockLimit}";

    internal bool IsClosed
    {
        get
        {
            lock (Nic.Wire.Gate)
            {
                return isClosed;
            }
        }
    }

    internal void Add(RdmaQueuePair pair) => pairs.Add(pair);

    internal void Remove(RdmaQueuePair pair) => pairs.Remove(pair);

    /// <summary>Whether a domain has regions or queue pairs. Called with the wire's lock held.</summary>
    internal bool IsUsed(ProtectionDomain domain) =>
        pairs.Exists(pair => pair.Domain == domain) || Array.Exists(Nic.Keys.Collect(), region => region.Domain == domain);

    /// <summary>Charges pages before they are pinned.</summary>
    /// <returns>Ok; ENOMEM: more than may be pinned; nothing is charged.</returns>
    internal Errno TryCharge(PageCount pages)
    {
        long after = Interlocked.Add(ref pinned, (long)pages.Value);
        if ((ulong)after <= MemlockLimit.Value || MayLockAll)
        {
            return Errno.Ok;
        }

        Uncharge(pages);
        return Errno.ENOMEM;
    }

    internal void Uncharge(PageCount pages)
    {
        long after = Interlocked.Add(ref pinned, -(long)pages.Value);
        Core.Checks.Check.That(after >= 0, $"{-after} pages were uncharged too many");
    }
}
