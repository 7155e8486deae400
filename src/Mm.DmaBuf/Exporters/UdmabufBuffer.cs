using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Exporters;

/// <summary>A buffer of a file's pages, pinned.</summary>
/// <remarks>
/// Owns the pins.
/// <para><b>Linux:</b> struct udmabuf, udmabuf_ops (v6.12): the first beginning of a CPU access makes the device's own
/// mapping, and an end without one is EINVAL.</para>
/// </remarks>
internal sealed class UdmabufBuffer : IBufferExporter
{
    private readonly Machine machine;
    private readonly PagePin[] pins;
    private readonly ValiditySource life = new();
    private readonly PhysRangeList place;
    private int hasBegun; // atomic: 0 → 1 once

    internal UdmabufBuffer(Machine machine, PagePin[] pins)
    {
        this.machine = machine;
        this.pins = pins;
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        foreach (PagePin pin in pins)
        {
            // RAM of this machine has an owner. Unmerged, as its scatterlist has an entry a page.
            builder.TryAppendUnmerged(new PfnRange(pin.Page, PageCount.One).ToPhysRange()).ThrowIfError();
        }

        place = builder.Build(life.Token);
        Size = place.Length;
    }

    public string Name => "udmabuf";

    public ByteCount Size { get; }

    public BufferTraits Traits { get; } = new() { KeepsMappings = true, HasCpuMap = true, HasKernelView = true };

    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        list = place;
        return Errno.Ok;
    }

    public Errno TryBeginCpuAccess(SyncAccess access)
    {
        if (Volatile.Read(ref hasBegun) == 0 && machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        Volatile.Write(ref hasBegun, 1);
        return Errno.Ok;
    }

    public Errno TryEndCpuAccess(SyncAccess access) => Volatile.Read(ref hasBegun) == 0 ? Errno.EINVAL : Errno.Ok;

    public void Release()
    {
        life.Invalidate();
        place.Dispose();
        Unpin(pins);
    }

    internal static void Unpin(PagePin[] pins)
    {
        foreach (PagePin pin in pins)
        {
            pin.Dispose(); // one that was never made is empty
        }
    }
}
