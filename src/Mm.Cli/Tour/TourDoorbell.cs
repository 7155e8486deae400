using Mm.Core;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;

namespace Mm.Cli.Tour;

/// <summary>A driver of the tour: a doorbell page in a BAR that a process maps, and that may lie elsewhere at any time.</summary>
internal sealed class TourDoorbell : IPeerAreaOperations
{
    private readonly Machine machine;
    private readonly PhysRange pages;
    private readonly Lock place = new();
    private PhysRange current; // protected by place

    /// <summary>The driver.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="pages">Where its doorbells lie.</param>
    public TourDoorbell(Machine machine, PhysRange pages)
    {
        this.machine = machine;
        this.pages = pages;
        current = pages.Slice(ByteCount.Zero, PageSize.Small.Bytes);
        Backing = new AreaBacking(AreaKind.DeviceMemory, this);
    }

    /// <summary>What a process maps.</summary>
    public AreaBacking Backing { get; }

    /// <summary>Where the doorbell lies.</summary>
    public PhysRange Current
    {
        get
        {
            lock (place)
            {
                return current;
            }
        }
    }

    /// <summary>What it adds to its answers: memory of somebody else.</summary>
    public PhysRange? Other { get; set; }

    /// <summary>What was rung last.</summary>
    public byte Rung
    {
        get
        {
            using SpanLease lease = machine.Lease(Current);
            return lease.Bytes[0];
        }
    }

    /// <inheritdoc/>
    public FaultResult Fault(AreaFilling filling, AreaFault fault)
    {
        lock (place)
        {
            return fault.Offset.IsZero ? filling.InsertFrame(fault.Address, current.Start.Pfn) : FaultResult.BusError;
        }
    }

    /// <inheritdoc/>
    public Errno TryMapPeer(PeerAreaRequest request, PhysRangeListBuilder ranges)
    {
        lock (place)
        {
            Errno errno = ranges.TryAppend(current);
            return errno.IsOk && Other is { } other ? ranges.TryAppend(other) : errno;
        }
    }

    /// <summary>Moves the doorbell to another page, with what was rung; everybody is told before.</summary>
    /// <param name="page">Which page.</param>
    public void Move(PageCount page)
    {
        lock (place)
        {
            Backing.Unmap();
            PhysRange next = pages.Slice(page.ToBytes(), PageSize.Small.Bytes);
            using SpanLease from = machine.Lease(current);
            using SpanLease to = machine.Lease(next);
            from.Bytes.CopyTo(to.Bytes);
            current = next;
        }
    }
}
