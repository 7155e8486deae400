using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Nics.Bindings;

/// <summary>A shared buffer bound to receive queues: their payload lands in it, in pages that have no descriptors.</summary>
/// <remarks>
/// Owns the attachment, the mapping, and which page is free; lives by count: its owner has one, each page pool one. Not
/// responsible for who may read the memory: whoever has the buffer has.
/// <para><b>Linux:</b> struct net_devmem_dmabuf_binding (net/core/devmem.c, v6.12): a static attachment, mapped from the
/// device, cut into pages. Differences: when the card is removed the memory is unmapped and detached at once, as areas of
/// io_uring are, where Linux waits for the last fragment in user space; and there is <see cref="BindingContract.Revocable"/>.</para>
/// <para><b>States:</b> bound ⇄ suspended (revocable: the memory moves or is away) → unbound (no queue) → freed, when the last
/// fragment is back.</para>
/// <para><b>Invariants:</b> (1) it is detached once; (2) it is unmapped in the direction in which it was mapped, which is from
/// the device; (3) suspended, no byte is on its way into the memory; (4) freed, every page is back.</para>
/// <para><b>Locking:</b> the card's control lock for queues, the buffer's reservation for the mapping; the rest is atomic.</para>
/// </remarks>
public sealed class DeviceMemoryBinding : IQueueProvider
{
    private readonly DmaDevice device;
    private readonly BufferHandle handle;
    private readonly DmaDirection direction;
    private readonly BindingPages pages = new();
    private ReceiveQueue[] queues = []; // replaced under the card's control lock, read without
    private BufferAttachment? attachment;
    private BufferMapping? mapping; // protected by the reservation once made
    private volatile bool isSuspended; // changed with the reservation locked
    private int references = 1; // atomic
    private int isDetached; // atomic: 0 → 1 once

    private DeviceMemoryBinding(
        BufferHandle handle, DmaDevice device, BindingContract contract, DmaDirection direction, uint id)
    {
        this.direction = direction;
        this.handle = handle;
        this.device = device;
        Contract = contract;
        Id = id;
        Buffer = handle.Buffer;
    }

    /// <summary>Its number, which user space is told with each fragment.</summary>
    public uint Id { get; }

    /// <summary>The buffer.</summary>
    public DmaBuffer Buffer { get; }

    /// <summary>What it expects of the memory.</summary>
    public BindingContract Contract { get; }

    /// <summary>How many pages it was cut into.</summary>
    public PageCount Pages => new((ulong)pages.Count);

    /// <summary>How many pages no queue and no user has.</summary>
    public PageCount FreePages => new((ulong)pages.FreeCount);

    /// <summary>Whether it is attached and mapped.</summary>
    public bool IsAttached => Volatile.Read(ref isDetached) == 0;

    /// <summary>Whether its last user is gone.</summary>
    public bool IsFreed => Volatile.Read(ref references) == 0;

    /// <summary>Which way its mapping lets bytes flow; null when it is not mapped.</summary>
    public DmaDirection? Direction => IsAttached ? mapping?.Direction : null;

    /// <summary>The queues that it is bound to.</summary>
    public IReadOnlyList<ReceiveQueue> Queues => Volatile.Read(ref queues);

    /// <inheritdoc/>
    public bool IsReady => !isSuspended && IsAttached;

    /// <summary>Attaches, maps and cuts a buffer.</summary>
    /// <returns>ENOMEM; and what attaching and mapping are refused with.</returns>
    internal static Errno TryCreate(
        BufferHandle buffer,
        DmaDevice device,
        BindingContract contract,
        DmaDirection direction,
        uint id,
        out DeviceMemoryBinding? binding)
    {
        binding = null;
        FaultInjector faults = buffer.Buffer.Registry.Machine.Faults;

        // The binding, and its number.
        if (faults.ShouldFail(FaultPoint.Slab) || faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var made = new DeviceMemoryBinding(buffer.Duplicate(), device, contract, direction, id);
        Errno errno = made.TryAttach(faults);
        if (!errno.IsOk)
        {
            made.Drop();
            return errno;
        }

        binding = made;
        return Errno.Ok;
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> mp_dmabuf_devmem_init (v6.12).</remarks>
    public Errno TryBegin(PagePool pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (pool.Options.Order != 0)
        {
            return Errno.E2BIG;
        }

        if (pool.Options.Device != device)
        {
            return Errno.EINVAL;
        }

        _ = Interlocked.Increment(ref references);
        return Errno.Ok;
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> mp_dmabuf_devmem_alloc_netmems (v6.12).</remarks>
    public Errno TryAllocate(PagePool pool, out NetIov? buffer)
    {
        buffer = null;
        return IsAttached && pages.TryTake(out buffer) ? Errno.Ok : Errno.ENOMEM;
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> mp_dmabuf_devmem_release_page (v6.12).</remarks>
    public void Release(PagePool pool, NetIov buffer) => pages.Return(buffer);

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> mp_dmabuf_devmem_destroy (v6.12).</remarks>
    public void End(PagePool pool) => Drop();

    /// <inheritdoc/>
    public void OnBound(ReceiveQueue queue, bool isBound)
    {
        ReceiveQueue[] now = Volatile.Read(ref queues);
        Volatile.Write(ref queues, isBound ? [.. now, queue] : [.. now.Where(bound => bound != queue)]);
    }

    /// <inheritdoc/>
    public Errno TryReady()
    {
        if (!isSuspended)
        {
            return IsAttached ? Errno.Ok : Errno.ENODEV;
        }

        using ReservationLock held = Buffer.Reservation.Lock();
        if (!IsAttached)
        {
            return Errno.ENODEV;
        }

        return isSuspended ? TryResume(held) : Errno.Ok;
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> dev_dmabuf_uninstall (v6.12), which only forgets the queues.</remarks>
    public void DeviceGone()
    {
        Volatile.Write(ref queues, []);
        Detach();
    }

    /// <inheritdoc/>
    public void Report(string prefix, ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (!IsAttached)
        {
            return;
        }

        string holder = $"{prefix}binding {Id}";
        string held = $"dma-buf {Buffer.Number}";
        DeviceId owner = OwnerOf(mapping);
        entries.Add(new LedgerEntry(holder, HoldingKind.Attachment, held, owner, 1));
        entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, $"{held} {Direction}", owner, 1));
        if (Queues.Count > 0)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Handle, "queues", device.Id, (ulong)Queues.Count));
        }
    }

    /// <summary>One reference less; the last one unmaps and detaches.</summary>
    internal void Drop()
    {
        if (Interlocked.Decrement(ref references) == 0)
        {
            Check.That(pages.FreeCount == pages.Count, $"binding invariant 4: {pages.Count - pages.FreeCount} pages are out");
            Detach();
        }
    }

    private Errno TryAttach(FaultInjector faults)
    {
        IBufferImporter? importer = Contract == BindingContract.Revocable ? new Importer(this) : null;
        Errno errno = BufferAttachment.TryAttach(handle, device, importer, out attachment);
        errno = errno.IsOk ? attachment!.TryMap(direction, out mapping) : errno;
        if (!errno.IsOk)
        {
            return errno;
        }

        // The pool of pages.
        return faults.ShouldFail(FaultPoint.Slab) ? Errno.ENOMEM : pages.TryFill(this, mapping!.Segments, faults);
    }

    private Errno TryResume(ReservationLock held)
    {
        Errno errno = attachment!.TryMap(held, direction, out BufferMapping? next);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = pages.TryMove(next!.Segments);
        if (!errno.IsOk)
        {
            next.Dispose();
            return errno;
        }

        mapping!.Dispose();
        mapping = next;
        isSuspended = false;
        return Errno.Ok;
    }

    // Whose memory it is, where it is a peer's.
    private static DeviceId OwnerOf(BufferMapping? mapping) =>
        mapping is { IsValid: true } && mapping.List.Count > 0 && mapping.List.OwnerOf(0).Provider is { } provider
            ? provider.Owner
            : default;

    // Nobody uses an address from here on, and when this returns nobody is in the middle of it.
    private void Suspend()
    {
        isSuspended = true;
        foreach (ReceiveQueue queue in Volatile.Read(ref queues))
        {
            queue.Quiesce();
        }
    }

    private void Detach()
    {
        if (Interlocked.Exchange(ref isDetached, 1) == 0)
        {
            mapping?.Dispose();
            attachment?.Dispose();
            handle.Dispose();
        }
    }

    private sealed class Importer(DeviceMemoryBinding binding) : IBufferImporter
    {
        public bool AllowsPeerToPeer => true;

        public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice) => binding.Suspend();
    }
}
