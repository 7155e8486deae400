using System.Runtime.CompilerServices;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Core.Frames;

/// <summary>Hands out pages of RAM and takes them back.</summary>
/// <remarks>
/// Owns every page of RAM that nobody holds. Not responsible for references (<see cref="FrameTable"/>), nor for device
/// memory: the device zone has no free lists, and nothing here ever gives a page of it.
/// <para><b>Linux:</b> alloc_pages, alloc_pages_bulk, __free_pages, free_unref_page (mm/page_alloc.c, v6.12). Differences:
/// there is no reclaim or compaction, so a request that finds no page after the stacks were called in is refused at once;
/// each thread is a processor with stacks of its own; order 9 has a stack for movable blocks only; orders 1 to 3 have none.</para>
/// <para><b>Invariants:</b> (1) every managed frame is in exactly one place: free in its zone, on one stack, or handed
/// out; (2) a frame handed out belongs to a zone that the request allows.</para>
/// <para><b>Locking:</b> safe from any thread. The stacks are biased to their thread (<see cref="FrameCpu"/>); below
/// them, one zone's lock at a time.</para>
/// </remarks>
public sealed partial class PageAllocator : IDisposable, IValidator
{
    private const int NoStack = int.MaxValue;
    private const uint LikelyMask = 63;
    private const byte FreshPoison = 0xAA; // what a page that nobody has written reads as, when checks are on

    private readonly FrameTable table;
    private readonly NativeTable<PageMeta> pages;
    private readonly Pageblocks blocks;
    private readonly FrameZone[] zones;
    private readonly FrameZone?[] zonesByKey;
    private readonly Zonelists zonelists;
    private readonly int[] firstStacks; // by plan: the stack of the first zone; NoStack if there is no zone
    private readonly int[] largeStacks; // by plan: the same for blocks of a pageblock's size; NoStack unless movable
    private readonly FaultInjector faults;
    private readonly IFrameBytes? bytes;
    private readonly object home = new(); // what its processors know it by
    private readonly RankedLock cpuGate = new(LockRank.Leaf);
    private readonly FrameCpu?[] likelyCpus = new FrameCpu?[LikelyMask + 1]; // by place of the stack; hints, unprotected
    private FrameCpu?[] cpus = new FrameCpu?[64]; // by managed thread id; replaced under cpuGate

    /// <summary>Takes over all RAM of a frame table.</summary>
    /// <param name="memory">How to reserve memory.</param>
    /// <param name="table">The table, of the same layout.</param>
    /// <param name="layout">How RAM is cut into zones.</param>
    /// <param name="faults">Where failures are planned.</param>
    /// <param name="bytes">The bytes behind RAM; null leaves them alone.</param>
    internal PageAllocator(
        MachineMemory memory, FrameTable table, FrameLayout layout, FaultInjector faults, IFrameBytes? bytes = null)
    {
        this.table = table;
        this.faults = faults;
        this.bytes = bytes;
        pages = table.Main;
        blocks = new Pageblocks(memory, pages.Capacity);
        zones =
        [
            .. table.Spans.All
                .GroupBy(span => (span.Node, span.Zone))
                .Select(group => new FrameZone(pages, blocks, [.. group])),
        ];
        int keys = zones.Length == 0 ? 1 : zones.Max(zone => zone.Key) + 1;
        zonesByKey = new FrameZone?[keys];
        foreach (FrameZone zone in zones)
        {
            zonesByKey[zone.Key] = zone;
        }

        zonelists = new Zonelists(layout, zones);
        firstStacks = new int[zonelists.PlanCount];
        largeStacks = new int[zonelists.PlanCount];
        for (int plan = 0; plan < firstStacks.Length; plan++)
        {
            FrameZone[] list = zonelists.Of(plan);
            var mobility = (MigrateType)(plan & 3);
            firstStacks[plan] = list.Length == 0 ? NoStack : StackOf(list[0], mobility);
            largeStacks[plan] = list.Length == 0 || mobility != MigrateType.Movable ? NoStack : LargeStackOf(list[0].Key);
        }

        LendOut(layout.Cma);
        table.Attach(this);
    }

    /// <summary>Where the pages are.</summary>
    public AllocatorStatistics Statistics => CollectStatistics();

    /// <summary>Whether a node has RAM that can be allocated.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Whether it has; a node with device memory alone has not.</returns>
    /// <remarks><b>Linux:</b> node_state(N_MEMORY) (v6.12).</remarks>
    public bool HasMemory(NodeId node) => Array.Exists(zones, zone => zone.Node == node);

    /// <summary>Takes a page, or a folio of several.</summary>
    /// <param name="request">What kind; an order above 0 gives a folio.</param>
    /// <param name="page">The one reference to it, or an empty one when refused; the caller disposes it.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: no zone that the request allows has such a block, or a failure was planned
    /// at <see cref="FaultPoint.PageAlloc"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Errno TryAllocate(AllocationRequest request, out PageRef page)
    {
        ulong token = Take(request);
        if (token == NoToken)
        {
            page = default;
            return Errno.ENOMEM;
        }

        page = new PageRef(table, new PageToken(token));
        return Errno.Ok;
    }

    /// <summary>Takes contiguous pages that are no folio.</summary>
    /// <param name="request">What kind, and the order.</param>
    /// <param name="block">The block, or an empty one when refused; the caller disposes or splits it.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: no zone that the request allows has such a block, or a failure was planned
    /// at <see cref="FaultPoint.PageAlloc"/>.</returns>
    public Errno TryAllocateBlock(AllocationRequest request, out PageBlock block)
    {
        block = default;
        Errno errno = TryFind(request, CurrentCpu(), out ulong frame);
        if (errno.IsOk)
        {
            int order = request.Order;
            PageToken token = HandOut(frame, PageCountWord.PerCpu(order).Bits, PageCountWord.Raw(order).Bits);
            Fill(frame, request);
            block = new PageBlock(this, new PageToken(token.Frame, token.Generation, request.Order));
        }

        return errno;
    }

    /// <summary>From here on the thread's allocations are fit to be pinned.</summary>
    /// <returns>The scope; disposing it ends it.</returns>
    public PinScope EnterPinScope() => new(CurrentCpu());

    /// <summary>Brings the free pages of all processors' stacks back to their zones.</summary>
    /// <remarks><b>Linux:</b> drain_all_pages (v6.12).</remarks>
    public void DrainStacks()
    {
        foreach (FrameCpu? cpu in Volatile.Read(ref cpus))
        {
            if (cpu is not null)
            {
                Drain(cpu);
            }
        }
    }

    /// <summary>Recounts every frame from the bottom and compares. Wants the machine at rest.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate() => new FrameValidator(this).Run();

    /// <summary>Gives its memory back.</summary>
    public void Dispose() => blocks.Dispose();

    /// <summary>The type of the pageblock that a page is in.</summary>
    /// <param name="page">The page: RAM.</param>
    /// <returns>The type.</returns>
    internal MigrateType TypeOf(Pfn page) => blocks.TypeOf(page.Value);

    /// <summary>The zones that a request may use, in order.</summary>
    internal IReadOnlyList<FrameZone> ZonesFor(AllocationRequest request) => zonelists.Of(request.Plan);

    /// <summary>All zones.</summary>
    internal IReadOnlyList<FrameZone> Zones => zones;

    /// <summary>The metadata of RAM.</summary>
    internal NativeTable<PageMeta> Pages => pages;

    /// <summary>The types of pageblocks.</summary>
    internal Pageblocks Blocks => blocks;

    /// <summary>The processors seen so far.</summary>
    internal IEnumerable<FrameCpu> Cpus => Volatile.Read(ref cpus).OfType<FrameCpu>();

    private static int LargeStackOf(int zoneKey) => (zoneKey * FrameCpu.StacksPerZone) + FrameCpu.LargeStack;

    private static int StackOf(FrameZone zone, MigrateType mobility) =>
        (zone.Key * FrameCpu.StacksPerZone) + (int)mobility;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Fill(ulong frame, AllocationRequest request)
    {
        if (bytes is not null && (request.IsZeroed || Check.Enabled))
        {
            var range = new PfnRange(new Pfn(frame), PageCount.OfOrder(request.Order));
            bytes.Fill(range, request.IsZeroed ? (byte)0 : FreshPoison);
        }
    }

    // The processor that is likely to be the thread's is confirmed by a branch, so that what follows need not wait for the
    // loads that find a thread's own data.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FrameCpu CurrentCpu()
    {
        FrameCpu? likely = likelyCpus[StackPlace.Current() & LikelyMask];
        return likely is not null && FrameCpu.IsCurrent(likely) ? likely : LookUpCpu();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private FrameCpu LookUpCpu()
    {
        FrameCpu? cpu = FrameCpu.TryCurrent(home);
        if (cpu is null)
        {
            FrameCpu?[] known = Volatile.Read(ref cpus);
            int id = Thread.CurrentThread.ManagedThreadId;
            cpu = id < known.Length && known[id] is { } found ? found : AddCpu(id);
            cpu.MakeCurrent();
        }

        likelyCpus[StackPlace.Current() & LikelyMask] = cpu;
        return cpu;
    }

    private FrameCpu AddCpu(int id)
    {
        using (cpuGate.Enter())
        {
            if (id >= cpus.Length)
            {
                FrameCpu?[] larger = new FrameCpu?[Math.Max(id + 1, cpus.Length * 2)];
                cpus.CopyTo(larger, 0);
                Volatile.Write(ref cpus, larger);
            }

            return cpus[id] ??= new FrameCpu(home, zonesByKey.Length * FrameCpu.StacksPerZone);
        }
    }

    private AllocatorStatistics CollectStatistics()
    {
        ulong managed = 0;
        ulong free = 0;
        foreach (FrameZone zone in zones)
        {
            using (zone.Gate.Enter())
            {
                managed += zone.Managed;
                free += zone.Free;
            }
        }

        long onStacks = 0;
        long taken = 0;
        long returned = 0;
        foreach (FrameCpu cpu in Cpus)
        {
            using (cpu.Visit())
            {
                var sum = cpu.Sum();
                onStacks += sum.OnStacks;
                taken += sum.Taken;
                returned += sum.Returned;
            }
        }

        return new AllocatorStatistics(
            new PageCount(managed), new PageCount(free), new PageCount((ulong)onStacks),
            new PageCount((ulong)taken), new PageCount((ulong)returned));
    }
}
