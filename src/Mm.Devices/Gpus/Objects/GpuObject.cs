using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Gpus.Objects;

/// <summary>A buffer of a GPU: in the GPU's memory or in RAM, moved between them under whoever shares it.</summary>
/// <remarks>
/// Owns its pages at the place where they are. Exported, it is a shared buffer like any other; peers and CPUs get addresses
/// only at places that they reach, and bring it there when they map it.
/// <para><b>Linux:</b> struct ttm_buffer_object as a GEM object, with amdgpu_dma_buf.c and ttm_bo_validate (v6.12).
/// Differences: a move waits for its copy instead of adding a fence; who maps while the GPU's memory is full gets it in RAM,
/// as nobody is evicted with a reservation locked.</para>
/// <para><b>States:</b> live → closed by its program (<see cref="Dispose"/>) → freed, when the last handle of the shared
/// buffer is gone. The GPU's removal takes it away from everybody at once.</para>
/// <para><b>Invariants:</b> (1) the bytes are the same after a move; (2) pinned, it does not move, and lies where CPUs reach
/// it; (3) a move that is refused leaves it where it was, with every mapping valid; (4) its pages are given back once.</para>
/// <para><b>Locking:</b> the reservation, which the shared buffer has too.</para>
/// </remarks>
public sealed partial class GpuObject : IBufferExporter, IVramTenant, IDisposable
{
    private readonly GpuParts parts;
    private readonly Action<GpuObject> freed;
    private readonly GpuPlaces allowed;
    private GpuBacking backing; // replaced with the reservation locked
    private BufferHandle? own; // protected by the reservation
    private DmaBuffer? shared; // atomic: from the export to its release
    private int pins; // protected by the reservation
    private int holders = 1; // atomic: the program, and the shared buffer
    private int preferred; // atomic: a GpuPlaces
    private int isClosed; // atomic
    private volatile bool isGone; // set with the reservation locked

    private GpuObject(GpuParts parts, ulong number, GpuObjectRequest request, GpuBacking backing, Action<GpuObject> freed)
    {
        this.parts = parts;
        this.backing = backing;
        this.freed = freed;
        allowed = request.Allowed;
        preferred = (int)request.Preferred;
        Number = number;
        Size = backing.Pages.ToBytes();
        Name = parts.Name;
        Reservation = new Reservation(parts.Buffers.Contexts);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Its number, which no other buffer of the GPU has.</summary>
    public ulong Number { get; }

    /// <inheritdoc/>
    public ByteCount Size { get; }

    /// <inheritdoc/>
    public BufferTraits Traits { get; } = new() { Moves = true, HasCpuMap = true, HasKernelView = true };

    /// <summary>What one waits for before an access.</summary>
    public Reservation Reservation { get; }

    /// <summary>Where it lies: one place.</summary>
    public GpuPlaces Place => Volatile.Read(ref backing).Place;

    /// <summary>Where the program would like it to lie when the GPU works on it.</summary>
    public GpuPlaces Preferred => (GpuPlaces)Volatile.Read(ref preferred);

    /// <summary>How often it has moved.</summary>
    public long Moves { get; private set; }

    /// <summary>How many pins keep it.</summary>
    public int PinCount
    {
        get
        {
            using ReservationLock held = Reservation.Lock();
            return pins;
        }
    }

    /// <summary>Whether the GPU was removed under it.</summary>
    public bool IsGone => isGone;

    /// <summary>Makes a buffer that holds zeros.</summary>
    /// <param name="parts">The GPU.</param>
    /// <param name="number">Its number.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="freed">Told when its pages are given back.</param>
    /// <param name="made">The buffer; null when refused.</param>
    /// <returns>As <see cref="Gpu.TryCreateObject"/>.</returns>
    internal static Errno TryCreate(
        GpuParts parts, ulong number, GpuObjectRequest request, Action<GpuObject> freed, out GpuObject? made)
    {
        made = null;
        PageCount pages = request.Size.ToPagesRoundUp();
        bool isLegal = !pages.IsZero && request.Allowed != GpuPlaces.None
            && (request.Allowed & ~GpuPlaces.Any) == GpuPlaces.None && (request.Preferred & request.Allowed) != GpuPlaces.None;
        if (!isLegal)
        {
            return Errno.EINVAL;
        }

        if (parts.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        Errno errno = TryTakeBest(parts, pages, request.Preferred & request.Allowed, request.Allowed, out GpuBacking? backing);
        if (!errno.IsOk)
        {
            return errno;
        }

        // What others left in the GPU's memory is nobody's to see.
        errno = backing!.Place == GpuPlaces.Ram ? Errno.Ok : backing.TryFill(source: null);
        if (!errno.IsOk)
        {
            backing.Dispose();
            return errno;
        }

        made = new GpuObject(parts, number, request, backing, freed);
        made.NoteUse();
        return Errno.Ok;
    }

    /// <summary>Shares it.</summary>
    /// <param name="handle">A handle of the shared buffer, the same one each time; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENOMEM: no memory for it; ENODEV: the GPU is gone.</returns>
    /// <exception cref="ObjectDisposedException">The program closed it.</exception>
    public Errno TryExport(out BufferHandle? handle)
    {
        handle = null;
        using ReservationLock held = Reservation.Lock();
        ObjectDisposedException.ThrowIf(Volatile.Read(ref isClosed) != 0, this); // a close that came first has taken what there was
        if (isGone)
        {
            return Errno.ENODEV;
        }

        if (own is null)
        {
            Errno errno = DmaBuffer.TryExport(parts.Buffers, this, Reservation, out own);
            if (!errno.IsOk)
            {
                return errno;
            }

            Interlocked.Increment(ref holders);
            Volatile.Write(ref shared, own!.Buffer);
        }

        handle = own!.Duplicate();
        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno TryAttach(BufferClient client, out PeerTerms terms)
    {
        terms = PeerTerms.Negotiate(client, parts.Provider);
        bool isReached = terms.IsPeerToPeer || (allowed & GpuPlaces.Ram) != GpuPlaces.None;
        return isGone ? Errno.ENODEV : isReached ? Errno.Ok : Errno.EOPNOTSUPP;
    }

    /// <inheritdoc/>
    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        Errno errno = TryBringWithin(held, client);
        list = errno.IsOk ? backing.List : null;
        return errno.IsOk && list is null ? Errno.ENODEV : errno;
    }

    /// <inheritdoc/>
    public Errno TryPin(ReservationLock held, BufferClient client)
    {
        Errno errno = TryBringWithin(held, client);
        pins += errno.IsOk ? 1 : 0;
        return errno;
    }

    /// <inheritdoc/>
    public void Unpin(ReservationLock held)
    {
        Check.That(pins > 0, "as many pins are dropped as were taken");
        pins--;
    }

    /// <inheritdoc/>
    public void Release()
    {
        Check.That(pins == 0, "a buffer is released without pins");
        Volatile.Write(ref shared, null);
        DropHolder();
    }

    /// <summary>The program closes it; whoever shares it keeps it. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isClosed, 1) != 0)
        {
            return;
        }

        BufferHandle? taken;
        using (Reservation.Lock())
        {
            taken = own;
            own = null;
        }

        taken?.Dispose();
        DropHolder();
    }

    /// <summary>Number, size and place.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name} bo {Number}, {Size} in {Place}";

    /// <summary>The bytes of a page, as the GPU sees them.</summary>
    internal Errno TryLeasePage(PageCount page, out SpanLease lease)
    {
        lease = default;
        ReadOnlySpan<Pfn> frames = Volatile.Read(ref backing).Frames;
        return page.Value < (ulong)frames.Length
            ? parts.Bytes.TryLease(frames[(int)page.Value], PageSize.Small, out lease)
            : Errno.EFAULT;
    }

    /// <summary>Says who holds what of it.</summary>
    internal void Report(ICollection<LedgerEntry> entries)
    {
        using ReservationLock held = Reservation.Lock();
        string holder = $"{Name} bo {Number}";
        bool isInRam = backing.Place == GpuPlaces.Ram;
        void Add(HoldingKind kind, string what, int count)
        {
            if (count > 0)
            {
                entries.Add(new LedgerEntry(holder, kind, what, isInRam ? DeviceId.None : parts.Id, (ulong)count));
            }
        }

        Add(HoldingKind.Page, $"{backing.Place}", backing.Frames.Length);
        Add(HoldingKind.Pin, $"bo {Number}", pins);
        Add(HoldingKind.Fence, $"bo {Number}", Reservation.GetFences(FenceUsage.Bookkeep).Count);
        Add(HoldingKind.Handle, $"bo {Number}", Volatile.Read(ref isClosed) == 0 ? 1 : 0);
        if (Volatile.Read(ref shared) is { } buffer)
        {
            Add(HoldingKind.Attachment, $"dma-buf {buffer.Number}", buffer.AttachmentCount);
            Add(HoldingKind.Handle, $"dma-buf {buffer.Number}", buffer.HandleCount);
        }
    }

    private void DropHolder()
    {
        if (Interlocked.Decrement(ref holders) == 0)
        {
            parts.Pool.Forget(this);
            backing.Dispose();
            freed(this);
        }
    }
}
