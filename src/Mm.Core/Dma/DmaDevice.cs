using System.Runtime.InteropServices;
using Mm.Core.PhysRanges;

namespace Mm.Core.Dma;

/// <summary>A device as the DMA interfaces see it: how far it reaches, what it takes, and who translates for it.</summary>
/// <remarks>
/// Owns the books of its live mappings. Not responsible for paths between devices: the providers in the lists say
/// those, and this type does what they say.
/// <para><b>Linux:</b> struct device with its dma_mask, dma_parms and iommu_domain; dma_direct_map_sg and
/// iommu_dma_map_sg (v6.12). Deliberate differences: lists are cut to the device's limits here, where Linux leaves that
/// to who builds the scatterlist; on a machine without <see cref="BounceBuffers"/>, RAM that the mask does not reach is refused,
/// as with swiotlb=noforce.</para>
/// <para><b>States:</b> attached → detached, once. What was mapped stays until its lease is disposed, but is not valid.</para>
/// <para><b>Invariants:</b> (1) every live mapping is in the books, segment by segment; (2) a refused call leaves the books
/// and the domain as they were.</para>
/// <para><b>Locking:</b> safe from any thread. Providers are asked with no lock held.</para>
/// </remarks>
public sealed class DmaDevice
{
    private readonly DmaDevices owner;
    private readonly ValiditySource life = new();
    private readonly IntervalLedger books = new();
    private int liveMappings; // atomic
    private int isDetached; // atomic: 0 → 1 once

    internal DmaDevice(DmaDevices owner, DeviceId id, DmaMask mask, DmaLimits limits, IommuDomain? domain)
    {
        this.owner = owner;
        Id = id;
        Mask = mask;
        Limits = limits;
        Domain = domain;
        Port = new DmaPort(this, owner.Leaser);
    }

    /// <summary>Which device it is.</summary>
    public DeviceId Id { get; }

    /// <summary>How far its addresses reach.</summary>
    public DmaMask Mask { get; }

    /// <summary>What one segment, and one list of them, may look like.</summary>
    public DmaLimits Limits { get; }

    /// <summary>The I/O address space that its accesses go through; null when they are physical addresses.</summary>
    public IommuDomain? Domain { get; }

    /// <summary>Its own side of the bus: reads and writes at DMA addresses, as the device would.</summary>
    public DmaPort Port { get; }

    /// <summary>Whether it is still there.</summary>
    public bool IsAttached => Volatile.Read(ref isDetached) == 0;

    /// <summary>How many mappings are live.</summary>
    public int LiveMappings => Volatile.Read(ref liveMappings);

    /// <summary>Whether windows are still looked for below 4 GiB first. Racy on purpose: it only ever goes off.</summary>
    internal bool PrefersLowAddresses { get; set; } = true;

    internal DmaDiagnostics Diagnostics => owner.Diagnostics;

    internal IntervalLedger Books => books;

    internal BounceBuffers? Bounce => owner.Bounce;

    /// <summary>Maps a list.</summary>
    /// <param name="list">The memory, with its owners; must stay as it is while mapped.</param>
    /// <param name="direction">Which way the bytes will flow.</param>
    /// <param name="mapping">The lease, or null when refused.</param>
    /// <returns>As <see cref="TryMap(PhysRangeList, DmaDirection, DmaAttributes, out DmaMapping)"/>.</returns>
    public Errno TryMap(PhysRangeList list, DmaDirection direction, out DmaMapping? mapping) =>
        TryMap(list, direction, DmaAttributes.None, out mapping);

    /// <summary>Maps a list: RAM by translation, peers' memory as each provider says.</summary>
    /// <remarks>
    /// <b>Linux:</b> dma_map_sgtable (v6.12).
    /// <para><b>Ensures:</b> refused, nothing is mapped and no I/O address is taken.</para>
    /// </remarks>
    /// <param name="list">The memory, with its owners; must stay as it is while mapped.</param>
    /// <param name="direction">Which way the bytes will flow.</param>
    /// <param name="attributes">What else is asked.</param>
    /// <param name="mapping">The lease, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the list is empty, more segments than the device takes, or a piece with its padding
    /// passes 32 bits of length.
    /// <see cref="Errno.EREMOTEIO"/>: a range is memory of a peer that this device cannot reach, or that no provider
    /// answers for.
    /// <see cref="Errno.ENOMEM"/>: no I/O addresses, or no memory for I/O page tables.
    /// <see cref="Errno.EIO"/>: the device is not translated, its mask does not reach a range, and it cannot be bounced: it
    /// is no RAM, a piece is longer than <see cref="BounceBuffers.MaxRun"/>, or the machine has no free slots.
    /// <see cref="Errno.EAGAIN"/>: the list is not valid any more; build it again.
    /// <see cref="Errno.ENODEV"/>: the device is detached.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="direction"/> is not defined.</exception>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public Errno TryMap(PhysRangeList list, DmaDirection direction, DmaAttributes attributes, out DmaMapping? mapping)
    {
        ArgumentNullException.ThrowIfNull(list);
        if (direction is < DmaDirection.Bidirectional or > DmaDirection.FromDevice)
        {
            throw new ArgumentOutOfRangeException(nameof(direction), direction, "direction must be in [0, 3)");
        }

        mapping = null;
        if (!IsAttached)
        {
            return Errno.ENODEV;
        }

        if (list.IsEmpty)
        {
            return Errno.EINVAL;
        }

        if (!list.IsValid)
        {
            return Errno.EAGAIN;
        }

        if (owner.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var cutter = new PieceCutter(this, attributes);
        try
        {
            return TryMapPieces(ref cutter, list, direction, out mapping);
        }
        finally
        {
            cutter.Dispose();
        }
    }

    private Errno TryMapPieces(
        ref PieceCutter cutter, PhysRangeList list, DmaDirection direction, out DmaMapping? mapping)
    {
        ValidityToken attached = life.Token;
        mapping = null;
        Errno errno = cutter.TryCut(list);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = TryPlace(
            cutter.Pieces, cutter.HasOrdinary, direction, out DmaSegment[] segments, out IovaRange window, out BounceSlots[] bounces);
        if (!errno.IsOk)
        {
            return errno;
        }

        ValidityToken[] tokens = [attached, list.Validity, .. cutter.Tokens ?? []];
        mapping = new DmaMapping(this, segments, tokens, window, direction, cutter.Attributes) { Bounces = bounces };
        Enter(mapping, cutter.Pieces);
        return Errno.Ok;
    }

    /// <summary>The device in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Id}, mask {Mask}, {(Domain is null ? "not translated" : $"translated by {Domain.Name}")}";

    internal void Unmap(DmaMapping mapping)
    {
        books.Remove(mapping.DeviceEntries);
        owner.Ram.Remove(mapping.RamEntries);

        if (!mapping.Window.IsNone)
        {
            Domain!.Unmap(mapping.Window);
        }

        bool takesBack = mapping.AllowsWrite && (mapping.Attributes & DmaAttributes.SkipCpuSync) == DmaAttributes.None;
        foreach (BounceSlots bounce in mapping.Bounces)
        {
            if (takesBack)
            {
                _ = owner.Bounce!.TrySync(bounce, ByteCount.Zero, bounce.Original.Length, toDevice: false); // ENXIO: the machine is going
            }

            owner.Bounce!.Return(bounce);
        }

        Interlocked.Decrement(ref liveMappings);
    }

    internal void Detach()
    {
        if (Interlocked.Exchange(ref isDetached, 1) != 0)
        {
            return;
        }

        life.Invalidate();
        if (LiveMappings != 0)
        {
            Diagnostics.Report(DmaDiagnosticKind.OutstandingAtDetach, Id, $"{LiveMappings} mappings are live");
        }
    }

    private Errno TryPlace(
        Span<DmaPiece> pieces,
        bool hasOrdinary,
        DmaDirection direction,
        out DmaSegment[] segments,
        out IovaRange window,
        out BounceSlots[] bounces)
    {
        segments = [];
        window = default;
        bounces = [];
        if (Domain is null)
        {
            return TryPlaceDirectly(pieces, out segments, out bounces);
        }

        Errno errno = IovaLayout.TryLayOut(pieces, Limits.Boundary, out ByteCount length);
        int count = errno.IsOk ? IovaLayout.MakeSegments(pieces, DmaAddr.Zero, Limits, []) : 0;
        if (!errno.IsOk || count > Limits.MaxSegments)
        {
            // Linux answers EOVERFLOW inside and tells the caller EINVAL, whose arguments they are.
            return Errno.EINVAL;
        }

        if (hasOrdinary)
        {
            errno = Domain.TryMap(pieces, length, this, AccessOf(direction), out window);
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        segments = new DmaSegment[count];
        _ = IovaLayout.MakeSegments(pieces, window.Start, Limits, segments);
        return Errno.Ok;
    }

    private Errno TryPlaceDirectly(Span<DmaPiece> pieces, out DmaSegment[] segments, out BounceSlots[] bounces)
    {
        segments = [];
        bounces = [];
        if (pieces.Length > Limits.MaxSegments)
        {
            return Errno.EINVAL;
        }

        List<BounceSlots>? taken = null;
        var placed = new DmaSegment[pieces.Length];
        for (int i = 0; i < pieces.Length; i++)
        {
            ref DmaPiece piece = ref pieces[i];
            var length = new ByteCount(piece.Bytes);
            if (!piece.IsBusAddress && !Mask.Reaches(piece.BusAddress, length))
            {
                Errno errno = TryBounce(ref piece, taken ??= []);
                if (!errno.IsOk)
                {
                    taken.ForEach(bounce => owner.Bounce!.Return(bounce));
                    return errno;
                }
            }

            placed[i] = new DmaSegment(piece.BusAddress, length, piece.IsBusAddress);
        }

        segments = placed;
        bounces = taken is null ? [] : [.. taken];
        return Errno.Ok;
    }

    private Errno TryBounce(ref DmaPiece piece, List<BounceSlots> taken)
    {
        var run = new PhysRange(piece.Start, new ByteCount(piece.Bytes));
        if (piece.IsPeer || owner.Bounce is null || !owner.Bounce.TryTake(run, out BounceSlots bounce).IsOk)
        {
            return Errno.EIO;
        }

        taken.Add(bounce);
        piece.IsBounced = true;
        piece.BusAddress = new DmaAddr(bounce.Start.Value);
        return Mask.Reaches(piece.BusAddress, run.Length) ? Errno.Ok : Errno.EIO;
    }

    // What a device may do is what its direction needs, and no more: IOMMU_READ for what it reads.
    private static IoAccess AccessOf(DmaDirection direction) => direction switch
    {
        DmaDirection.ToDevice => IoAccess.Read,
        DmaDirection.FromDevice => IoAccess.Write,
        _ => IoAccess.ReadWrite,
    };

    private void Enter(DmaMapping mapping, ReadOnlySpan<DmaPiece> pieces)
    {
        Interlocked.Increment(ref liveMappings);
        var runs = new List<LedgerRun>(Math.Min(pieces.Length, IntervalLedger.BlockRuns));
        ulong at = mapping.Window.Start.Value;
        for (int i = 0; i < pieces.Length; i++)
        {
            ref readonly DmaPiece piece = ref pieces[i];
            bool isTranslated = !piece.IsBusAddress && Domain is not null;
            ulong address = isTranslated ? at + piece.PageOffset : piece.BusAddress.Value;
            PhysAddr target = piece.IsBounced ? new PhysAddr(piece.BusAddress.Value) : piece.Start;
            LedgerRun.Append(runs, new LedgerRun(address, piece.Bytes, target, piece.IsBusAddress));
            at += piece.WindowBytes;
        }

        mapping.DeviceEntries = books.Add(CollectionsMarshal.AsSpan(runs), mapping);
        if (Diagnostics.IsOn && mapping.AllowsWrite)
        {
            mapping.RamEntries = owner.EnterRam(mapping, pieces);
        }
    }
}
