using Mm.Core;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;

namespace Mm.Devices.Tests.Seeds;

/// <summary>A driver with doorbell pages in a BAR, one of which a process maps; the page in use can change at any time.</summary>
internal sealed class DoorbellOwner : IPeerAreaOperations
{
    private readonly Machine machine;
    private readonly PhysRange pages;
    private readonly Lock place = new();
    private ulong current; // protected by place

    /// <summary>The driver.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="pages">Its doorbell pages.</param>
    internal DoorbellOwner(Machine machine, PhysRange pages)
    {
        this.machine = machine;
        this.pages = pages;
        Backing = new AreaBacking(AreaKind.DeviceMemory, this);
    }

    internal AreaBacking Backing { get; }

    /// <summary>Where the doorbell is now.</summary>
    internal PhysRange Current
    {
        get
        {
            lock (place)
            {
                return PageAt(current);
            }
        }
    }

    /// <summary>Importers that have its addresses.</summary>
    internal int Importers { get; private set; }

    /// <summary>What it says besides of a request: memory that is not its own, at the end.</summary>
    internal PhysRange[] Others { get; set; } = [];

    public FaultResult Fault(AreaFilling filling, AreaFault fault)
    {
        lock (place)
        {
            return fault.Offset == PageCount.Zero ? filling.InsertFrame(fault.Address, PageAt(current).Start.Pfn) : FaultResult.BusError;
        }
    }

    public Errno TryMapPeer(PeerAreaRequest request, PhysRangeListBuilder ranges)
    {
        lock (place)
        {
            Errno errno = ranges.TryAppend(PageAt(current));
            errno = errno.IsOk ? ranges.TryAppend(Others) : errno;
            Importers += errno.IsOk ? 1 : 0;
            return errno;
        }
    }

    public void UnmapPeer(PeerAreaRequest request) => Importers--;

    /// <summary>Moves the doorbell, with what was rung: everybody is told before.</summary>
    internal void Move(ulong to)
    {
        lock (place)
        {
            Backing.Unmap();
            using SpanLease from = machine.Lease(PageAt(current));
            using SpanLease target = machine.Lease(PageAt(to));
            from.Bytes.CopyTo(target.Bytes);
            current = to;
        }
    }

    /// <summary>The last word that was rung.</summary>
    internal byte Rung()
    {
        using SpanLease lease = machine.Lease(Current);
        return lease.Bytes[0];
    }

    private PhysRange PageAt(ulong page) => pages.Slice(new PageCount(page).ToBytes(), PageSize.Small.Bytes);
}
