using Mm.Core;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Rdma;

/// <summary>What belongs together on a NIC: a queue pair names regions of its own domain only.</summary>
/// <remarks>
/// Owns nothing but the membership; registers regions under each contract.
/// <para><b>Linux:</b> struct ib_pd, ib_uverbs_reg_mr, UVERBS_METHOD_REG_DMABUF_MR (v6.12).</para>
/// <para><b>States:</b> made → destroyed, when it has neither regions nor queue pairs, or with its context. Destroyed by
/// <see cref="TryDestroy"/>, whatever is asked of it is EINVAL.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class ProtectionDomain
{
    private const RegionAccess Known = RegionAccess.LocalWrite | RegionAccess.RemoteWrite | RegionAccess.RemoteRead
        | RegionAccess.RemoteAtomic | RegionAccess.OnDemand;

    private bool isDestroyed; // protected by the wire's lock

    internal ProtectionDomain(RdmaContext context) => Context = context;

    /// <summary>Who opened the NIC.</summary>
    public RdmaContext Context { get; }

    /// <summary>Registers memory of the process: pinned, or on demand where <see cref="RegionAccess.OnDemand"/> says so.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What the region allows.</param>
    /// <param name="region">The region; null when refused. The caller disposes it.</param>
    /// <returns>
    /// Ok; ENODEV: the context is closed. EINVAL: the domain was destroyed; unknown rights, or remote writes or atomics without
    /// local ones; no bytes; more than 2^32-1 pages to be pinned; pinned, the end wraps. EOVERFLOW: on demand, the end wraps. EPERM:
    /// nothing may be pinned. ENOMEM: more would be pinned than may be, more than 2^28-1 pages on demand, or no memory. EFAULT: no
    /// area, or one that forbids the access or has no pages to pin. EREMOTEIO: memory of a peer, mapped into the
    /// process or out of the NIC's reach.
    /// </returns>
    public Errno TryRegister(VirtAddr start, ByteCount length, RegionAccess access, out MemoryRegion? region)
    {
        region = null;
        Errno errno = Check(access);
        if (!errno.IsOk)
        {
            return errno;
        }

        if ((access & RegionAccess.OnDemand) != RegionAccess.None)
        {
            errno = OnDemandBacking.TryCreate(Context, start, length, parent: null, index: 0, out OnDemandBacking? pages);
            return Finish(errno, RegionContract.OnDemand, access, start, length, pages, out region);
        }

        errno = PinnedBacking.TryCreate(Context, start, length, access, out PinnedBacking? pinned);
        return Finish(errno, RegionContract.Pinned, access, start, length, pinned, out region);
    }

    /// <summary>Registers all addresses of the process, on demand.</summary>
    /// <param name="access">What the region allows; <see cref="RegionAccess.OnDemand"/> goes without saying.</param>
    /// <param name="region">The region; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: the context is closed; EINVAL: as <see cref="TryRegister"/>; ENOMEM: no memory.</returns>
    public Errno TryRegisterAll(RegionAccess access, out MemoryRegion? region)
    {
        region = null;
        Errno errno = Check(access);
        errno = errno.IsOk && Context.Nic.Machine.Faults.ShouldFail(FaultPoint.Slab) ? Errno.ENOMEM : errno;
        ImplicitBacking? all = errno.IsOk ? new ImplicitBacking(Context) : null;
        return Finish(
            errno, RegionContract.Implicit, access | RegionAccess.OnDemand, VirtAddr.Zero, ByteCount.MaxValue, all, out region);
    }

    /// <summary>Registers memory of a peer's driver, which may take it away.</summary>
    /// <param name="peer">The driver.</param>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What the region allows.</param>
    /// <param name="region">The region; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: the context is closed; EINVAL: as <see cref="TryRegister"/>; ENOMEM: no memory; EAGAIN: taken away
    /// before it was registered; EREMOTEIO: out of the NIC's reach; and what the driver refuses with.</returns>
    public Errno TryRegisterPeer(
        IPeerMemory peer, VirtAddr start, ByteCount length, RegionAccess access, out MemoryRegion? region)
    {
        ArgumentNullException.ThrowIfNull(peer);
        region = null;
        Errno errno = Check(access);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = PeerBacking.TryCreate(Context, peer, start, length, out PeerBacking? backing);
        return Finish(errno, RegionContract.Peer, access, start, length, backing, out region);
    }

    /// <summary>Registers a window of a shared buffer.</summary>
    /// <param name="buffer">A handle of the buffer; stays the caller's.</param>
    /// <param name="offset">Where in it the window starts.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="address">By which address work requests name the first byte; as far into a page as <paramref name="offset"/>.</param>
    /// <param name="access">What the region allows.</param>
    /// <param name="contract">Whether it follows moves, is pinned, or pinned until it is taken away.</param>
    /// <param name="region">The region; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: the context is closed, or the memory is taken away; EINVAL: rights as in <see cref="TryRegister"/>, no
    /// bytes, a window past the buffer, addresses that wrap, or offset and address not as far into their pages; ENOMEM: no memory;
    /// EREMOTEIO: out of the NIC's reach; EOPNOTSUPP: the exporter pins for nobody, or its memory is a
    /// peer's and out of reach; ETIMEDOUT: pinned, the kernel's fences have not signaled.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="contract"/> is not one of buffers.</exception>
    public Errno TryRegisterBuffer(
        BufferHandle buffer,
        ByteCount offset,
        ByteCount length,
        VirtAddr address,
        RegionAccess access,
        RegionContract contract,
        out MemoryRegion? region)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (contract is < RegionContract.Buffer or > RegionContract.BufferRevocable)
        {
            throw new ArgumentOutOfRangeException(nameof(contract), contract, "contract must be Buffer, BufferPinned or BufferRevocable");
        }

        region = null;
        Errno errno = Check(access);
        bool isSkewed = ((offset.Value ^ address.Value) & (PageSize.Small.Bytes.Value - 1)) != 0;
        if (!errno.IsOk || isSkewed || !VirtRange.TryCreate(address, length, out _))
        {
            return errno.IsOk ? Errno.EINVAL : errno;
        }

        errno = BufferBacking.TryCreate(Context, buffer, contract, offset, length, out BufferBacking? backing);
        return Finish(errno, contract, access, address, length, backing, out region);
    }

    /// <summary>Makes a queue pair.</summary>
    /// <param name="sends">Where work that was sent completes.</param>
    /// <param name="receives">Where receives complete.</param>
    /// <param name="depth">How much work of each kind may wait; positive.</param>
    /// <param name="pair">The queue pair; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: the context is closed; EINVAL: the domain was destroyed; ENOMEM: no memory.</returns>
    public Errno TryCreateQueuePair(CompletionQueue sends, CompletionQueue receives, int depth, out RdmaQueuePair? pair)
    {
        ArgumentNullException.ThrowIfNull(sends);
        ArgumentNullException.ThrowIfNull(receives);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(depth);
        pair = null;
        lock (Context.Nic.Wire.Gate)
        {
            Errno errno = CheckAlive();
            if (!errno.IsOk || Context.Nic.Machine.Faults.ShouldFail(FaultPoint.Slab))
            {
                return errno.IsOk ? Errno.ENOMEM : errno;
            }

            pair = new RdmaQueuePair(this, Context.Nic.NextQueuePair(), sends, receives, depth);
            Context.Add(pair);
            return Errno.Ok;
        }
    }

    /// <summary>Destroys it.</summary>
    /// <returns>Ok; EBUSY: it has regions or queue pairs; ENOENT: it was destroyed before.</returns>
    public Errno TryDestroy()
    {
        lock (Context.Nic.Wire.Gate)
        {
            if (isDestroyed || Context.IsClosed)
            {
                return Errno.ENOENT;
            }

            isDestroyed = !Context.IsUsed(this);
            return isDestroyed ? Errno.Ok : Errno.EBUSY;
        }
    }

    // Called with the wire's lock held. Linux: a handle that is gone is EINVAL.
    private Errno CheckAlive() => Context.IsClosed ? Errno.ENODEV : isDestroyed ? Errno.EINVAL : Errno.Ok;

    // Linux: ib_check_mr_access.
    private Errno Check(RegionAccess access)
    {
        lock (Context.Nic.Wire.Gate)
        {
            Errno errno = CheckAlive();
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        bool isRemoteAlone = (access & (RegionAccess.RemoteWrite | RegionAccess.RemoteAtomic)) != RegionAccess.None
            && (access & RegionAccess.LocalWrite) == RegionAccess.None;
        return isRemoteAlone || (access & ~Known) != RegionAccess.None ? Errno.EINVAL : Errno.Ok;
    }

    private Errno Finish(
        Errno errno,
        RegionContract contract,
        RegionAccess access,
        VirtAddr start,
        ByteCount length,
        RegionBacking? backing,
        out MemoryRegion? region)
    {
        region = null;
        if (!errno.IsOk)
        {
            return errno;
        }

        var made = new MemoryRegion(this, contract, access, new VirtRange(start, length), backing!);
        lock (Context.Nic.Wire.Gate)
        {
            errno = CheckAlive();
            if (errno.IsOk)
            {
                Context.Nic.Keys.Add(made);
                region = made;
                return Errno.Ok;
            }
        }

        backing!.Release(); // may call a peer's driver, so with no lock held
        return errno;
    }
}
