namespace Mm.Core.Frames;

// The facet of allocation among chosen nodes, which policies ask for.
public sealed partial class PageAllocator
{
    /// <summary>Whether the thread's allocations are to be fit to be pinned.</summary>
    internal bool IsInPinScope => CurrentCpu().PinDepth > 0;

    /// <summary>Takes a page of chosen nodes, nearest first.</summary>
    /// <param name="request">What kind, and from where distances are counted.</param>
    /// <param name="first">The nodes to try first; they are not emptied for it.</param>
    /// <param name="then">The nodes that will do: the same ones when no other may.</param>
    /// <param name="page">The one reference to it, or an empty one when refused.</param>
    /// <returns>Ok; ENOMEM: none of these nodes has such a block, or a failure was planned.</returns>
    /// <remarks><b>Linux:</b> __alloc_pages with a nodemask, alloc_pages_preferred_many (v6.12).</remarks>
    internal Errno TryAllocateAmong(AllocationRequest request, in NodeSet first, in NodeSet then, out PageRef page)
    {
        page = default;
        if (faults.ShouldFail(FaultPoint.PageAlloc))
        {
            return Errno.ENOMEM;
        }

        FrameCpu cpu = CurrentCpu();
        AllocationRequest wanted = cpu.PinDepth > 0 ? request.ForPinScope() : request;
        bool isFound = TryZonesOf(first, wanted, cpu, out ulong frame) || TryZonesOf(then, wanted, cpu, out frame);
        if (!isFound && !wanted.IsAtomic)
        {
            DrainStacks();
            isFound = TryZonesOf(then, wanted, cpu, out frame);
        }

        if (!isFound)
        {
            return Errno.ENOMEM;
        }

        int order = wanted.Order;
        PageToken token = HandOut(frame, PageCountWord.PerCpu(order).Bits, PageCountWord.Folio(order).Bits);
        Fill(frame, wanted);
        page = new PageRef(table, token);
        return Errno.Ok;
    }

    private bool TryZonesOf(in NodeSet nodes, AllocationRequest request, FrameCpu cpu, out ulong frame)
    {
        foreach (FrameZone zone in zonelists.Of(request.Plan))
        {
            if (nodes.Contains(zone.Node) && TryZone(request, cpu, zone, out frame))
            {
                return true;
            }
        }

        frame = 0;
        return false;
    }
}
