using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

/// <summary>A driver with a window of eight pages that processes map: at once, or page by page as they touch it.</summary>
internal sealed class FrameOwner : IAreaOperations
{
    internal const int Pages = 8;

    private readonly Machine machine;

    internal FrameOwner(Machine machine, AreaKind kind = AreaKind.DeviceMemory, ulong at = 6UL << 30)
    {
        this.machine = machine;
        Window = new PhysRange(new PhysAddr(at), new PageCount(Pages).ToBytes());
        Assert.That(machine.TryAddDeviceWindow($"registers at {at:x}", Window, out AddressRegion? region), Is.EqualTo(Errno.Ok));
        Region = region!;
        Backing = new AreaBacking(kind, this);
    }

    internal delegate Errno Filler(AreaFilling filling);

    internal AreaBacking Backing { get; }

    internal PhysRange Window { get; }

    internal AddressRegion Region { get; }

    /// <summary>What is done when it is mapped; nothing, if nobody says.</summary>
    internal Filler? Fill { get; set; }

    /// <summary>Whether it answers faults; else they are bus errors.</summary>
    internal bool Answers { get; set; } = true;

    /// <summary>The faults that it got.</summary>
    internal List<AreaFault> Faults { get; } = [];

    /// <summary>Spaces that opened it, less those that closed it.</summary>
    internal int Opens { get; private set; }

    internal Pfn Frame(ulong page) => new(Window.Start.Pfn.Value + page);

    internal byte Peek(ulong page)
    {
        using SpanLease lease = machine.Lease(new PhysRange(Frame(page).Address, PageSize.Small.Bytes));
        return lease.Bytes[0];
    }

    internal void Poke(ulong page, byte value)
    {
        using SpanLease lease = machine.Lease(new PhysRange(Frame(page).Address, PageSize.Small.Bytes));
        lease.Bytes[0] = value;
    }

    /// <summary>All of it at once, as remap_pfn_range does.</summary>
    internal void FillsAtOnce() => Fill = filling => filling.TryRemap(
        filling.Area.Start, new PfnRange(Frame(filling.Area.Offset.Value), filling.Area.Pages));

    public Errno TryMap(AreaFilling filling) => Fill is null ? Errno.Ok : Fill(filling);

    public FaultResult Fault(AreaFilling filling, AreaFault fault)
    {
        Faults.Add(fault);
        return Answers && fault.Offset.Value < Pages ? filling.InsertFrame(fault.Address, Frame(fault.Offset.Value)) : FaultResult.BusError;
    }

    public void Opened(AddressSpace space) => Opens++;

    public void Closed(AddressSpace space) => Opens--;
}
