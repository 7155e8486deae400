using Mm.Core;
using Mm.P2pDma;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.P2p;

/// <summary>The peer memory of one BAR on a machine of its own, by way of Mm's pools.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
internal sealed class PciMemoryModel : IP2pMemoryModel
{
    private static readonly PhysAddr AlignedStart = new(0x4000000000);

    private readonly Dictionary<ulong, P2pMemory> slots = [];
    private readonly P2pBarLayout layout;
    private readonly PhysAddr start;
    private readonly Machine machine;
    private readonly PciSystem system;

    public PciMemoryModel(P2pBarLayout layout)
    {
        this.layout = layout;

        // A BAR off the granule starts half a granule later: recordings tell that it is off, not by how much.
        start = layout.IsAligned ? AlignedStart : AlignedStart.AddChecked(ByteCount.FromMiB(1));
        var builder = new TopologyBuilder();
        builder.AddHostBridge(new HostBridge { Bus = layout.Device.Address.BusId });
        builder.AddFunction(layout.Device with
        {
            Parent = null,
            HostBridge = layout.Device.Address.BusId,
            Bars = [new PciBar(layout.Bar, start, layout.Length, PciBarFlags.Memory | PciBarFlags.Is64Bit)],
        });
        machine = Machine.CreateBuilder().Build();
        system = new PciSystem(machine, builder.Build());
    }

    public Errno TryAdd(ByteCount size, ByteCount offset) =>
        system.Pools.TryAddResource(layout.Device.Address, layout.Bar, size, offset, out _);

    public Errno TryAllocate(ulong slot, ByteCount size, out ByteCount offset)
    {
        offset = default;
        if (slots.ContainsKey(slot))
        {
            return Errno.EBUSY;
        }

        if (!system.Pools.TryFind(layout.Device.Address, out P2pMemPool? pool))
        {
            return Errno.ENODEV;
        }

        Errno errno = pool.TryAllocate(size, out P2pMemory? memory);
        if (errno.IsOk)
        {
            slots.Add(slot, memory!);
            offset = memory!.Range.Start.OffsetFrom(start);
        }

        return errno;
    }

    public Errno TryFree(ulong slot)
    {
        if (!slots.Remove(slot, out P2pMemory? memory))
        {
            return Errno.ENOENT;
        }

        memory.Dispose();
        return Errno.Ok;
    }

    public void Dispose()
    {
        foreach (P2pMemory memory in slots.Values)
        {
            memory.Dispose();
        }

        system.Validate();
        machine.Dispose();
    }
}
