using System.Buffers;
using Mm.Core.PhysRanges;

namespace Mm.Core.Dma;

/// <summary>Cuts a list into the pieces that one device can be given, each with its verdict.</summary>
/// <remarks>
/// Owns a rented array until <see cref="Dispose"/>. A provider is asked once for a run of its ranges, and its token is
/// taken before it is asked, so that a change in between shows.
/// <para><b>Linux:</b> sg_alloc_table_from_pages_segment for the cutting, pci_p2pdma_map_segment and its map state for
/// the verdict (v6.12).</para>
/// </remarks>
internal ref struct PieceCutter(DmaDevice device, DmaAttributes attributes) : IDisposable
{
    private DmaPiece[] pieces = ArrayPool<DmaPiece>.Shared.Rent(16);
    private int count;

    /// <summary>What the caller asked for.</summary>
    public readonly DmaAttributes Attributes => attributes;

    /// <summary>The pieces so far.</summary>
    public readonly Span<DmaPiece> Pieces => pieces.AsSpan(0, count);

    /// <summary>One token for each run of a provider's ranges.</summary>
    public List<ValidityToken>? Tokens { get; private set; }

    /// <summary>Whether any piece is ordinary, so that it needs a translation or a mask.</summary>
    public bool HasOrdinary { get; private set; }

    /// <summary>Cuts the whole list.</summary>
    /// <param name="list">The list.</param>
    /// <returns>Ok, or EREMOTEIO: a range is another device's memory that this device cannot reach, or that has no
    /// provider.</returns>
    public Errno TryCut(PhysRangeList list)
    {
        ReadOnlySpan<PhysRange> ranges = list.Ranges;
        foreach (OwnerRun run in list.OwnerRuns)
        {
            P2pMapKind kind = Judge(run.Owner);
            if (kind == P2pMapKind.NotSupported)
            {
                return Errno.EREMOTEIO;
            }

            foreach (PhysRange range in ranges.Slice(run.FirstRange, run.RangeCount))
            {
                Cut(range, run.Owner.Provider, kind);
            }
        }

        return Errno.Ok;
    }

    /// <summary>Gives the array back.</summary>
    public void Dispose()
    {
        DmaPiece[] rented = pieces;
        pieces = [];
        count = 0;
        ArrayPool<DmaPiece>.Shared.Return(rented, clearArray: true);
    }

    private P2pMapKind Judge(RangeOwner owner)
    {
        if ((attributes & DmaAttributes.Mmio) != DmaAttributes.None)
        {
            return P2pMapKind.ThroughHostBridge;
        }

        if (owner.Provider is null)
        {
            // A window that no provider answers for is somebody's memory all the same: no verdict, no path.
            return owner.Kind == RangeOwnerKind.DeviceWindow ? P2pMapKind.NotSupported : P2pMapKind.NotPeer;
        }

        Tokens ??= [];
        Tokens.Add(owner.Provider.Validity);
        P2pMapKind kind = owner.Provider.MapKindFor(device.Id);
        return kind is P2pMapKind.BusAddress or P2pMapKind.ThroughHostBridge ? kind : P2pMapKind.NotSupported;
    }

    private void Cut(PhysRange range, IP2pProvider? provider, P2pMapKind kind)
    {
        bool isBus = kind == P2pMapKind.BusAddress;
        ulong bus = isBus ? provider!.ToBusAddress(range.Start).Value : 0;
        ulong boundary = device.Limits.Boundary.Value;
        ulong most = Math.Min(device.Limits.MaxSegmentSize.Value & ~PageSize.Small.OffsetMask, boundary);
        HasOrdinary |= !isBus;
        for (ulong done = 0; done < range.Length.Value;)
        {
            ulong phys = range.Start.Value + done;
            ulong seen = isBus ? bus + done : phys;

            // A first piece is shorter by its offset in its page, so that the ones behind it lie on pages and merge.
            ulong length = Math.Min(range.Length.Value - done, most - (phys & PageSize.Small.OffsetMask));
            bool isPlaced = isBus || device.Domain is null;
            length = isPlaced ? Math.Min(length, boundary - (seen & (boundary - 1))) : length;
            Add(new DmaPiece
            {
                Start = new PhysAddr(phys),
                Bytes = (uint)length,
                IsBusAddress = isBus,
                IsPeer = kind != P2pMapKind.NotPeer,
                BusAddress = new DmaAddr(seen),
                Provider = provider,
            });
            done += length;
        }
    }

    private void Add(DmaPiece piece)
    {
        if (count == pieces.Length)
        {
            DmaPiece[] larger = ArrayPool<DmaPiece>.Shared.Rent(count * 2);
            pieces.AsSpan(0, count).CopyTo(larger);
            ArrayPool<DmaPiece>.Shared.Return(pieces, clearArray: true);
            pieces = larger;
        }

        pieces[count++] = piece;
    }
}
