using System.Runtime.InteropServices;
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.PhysRanges;

namespace Mm.DmaBuf.Exporters;

/// <summary>RAM of a buffer: zeroed folios, large ones first, and the list of their addresses.</summary>
/// <remarks>
/// Owns a reference of each folio and the list.
/// <para><b>Linux:</b> alloc_largest_available of drivers/dma-buf/heaps/system_heap.c: orders 8, 4 and 0 (v6.12).</para>
/// <para><b>Invariants:</b> (1) orders do not grow along the list.</para>
/// <para><b>Locking:</b> the owner's.</para>
/// </remarks>
internal sealed class RamStore : IDisposable
{
    private static readonly int[] Orders = [8, 4, 0];

    private readonly PageRef[] folios;
    private readonly ValiditySource life = new();

    private RamStore(PageRef[] folios, ByteCount size, IRangeOwnerSource owners)
    {
        this.folios = folios;
        var builder = new PhysRangeListBuilder(owners);
        ulong rest = size.Value;
        foreach (PageRef folio in folios)
        {
            PhysRange whole = folio.Frames.ToPhysRange();
            var part = new ByteCount(Math.Min(rest, whole.Length.Value));
            builder.TryAppend(whole.Slice(ByteCount.Zero, part)).ThrowIfError(); // RAM of this machine has an owner
            rest -= part.Value;
        }

        List = builder.Build(life.Token);
    }

    internal PhysRangeList List { get; }

    /// <summary>Takes RAM.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="size">How many bytes; not zero. Pages are taken whole, the list names as many bytes.</param>
    /// <param name="store">The RAM; null when refused.</param>
    /// <returns>Ok; ENOMEM: there is not enough.</returns>
    internal static Errno TryAllocate(Machine machine, ByteCount size, out RamStore? store)
    {
        store = null;
        ulong rest = size.ToPagesRoundUp().Value;
        int largest = Orders[0];
        var taken = new List<PageRef>();
        while (rest > 0)
        {
            if (!TryTake(machine.Allocator, rest, ref largest, out PageRef folio))
            {
                machine.Allocator.Release(CollectionsMarshal.AsSpan(taken));
                return Errno.ENOMEM;
            }

            taken.Add(folio);
            rest -= 1UL << largest;
        }

        store = new RamStore([.. taken], size, machine.RangeOwners);
        return Errno.Ok;
    }

    /// <summary>Gives the RAM back; addresses of it end.</summary>
    public void Dispose()
    {
        life.Invalidate();
        List.Dispose();
        foreach (PageRef folio in folios)
        {
            folio.Dispose();
        }
    }

    // What failed once is not tried again at that order: memory does not become less fragmented meanwhile.
    private static bool TryTake(PageAllocator allocator, ulong pages, ref int largest, out PageRef folio)
    {
        foreach (int order in Orders)
        {
            if (order > largest || pages < 1UL << order)
            {
                continue;
            }

            AllocationRequest request = AllocationRequest.Kernel with { Order = order, IsZeroed = true };
            if (allocator.TryAllocate(request, out folio).IsOk)
            {
                largest = order;
                return true;
            }
        }

        folio = default;
        return false;
    }
}
