using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Buffers;

/// <summary>An exporter over some RAM that a test tells what to answer, and that counts what it is asked.</summary>
internal sealed class FakeExporter : IBufferExporter
{
    private readonly Machine machine;
    private readonly ValiditySource life = new();
    private PhysRangeList? place;

    internal FakeExporter(Machine machine, int pages = 2)
    {
        this.machine = machine;
        Size = new PageCount((ulong)pages).ToBytes();
    }

    public string Name { get; init; } = "fake";

    public ByteCount Size { get; init; }

    public BufferTraits Traits { get; init; } = new() { HasCpuMap = true, HasKernelView = true };

    internal PhysAddr Start { get; set; } = new(0x100000);

    internal Errno Refusal { get; set; }

    internal PeerTerms Terms { get; set; }

    internal bool GivesNewLists { get; set; }

    internal bool GivesNoList { get; set; }

    internal int Pins { get; private set; }

    internal int Attached { get; private set; }

    internal int Releases { get; private set; }

    public Errno TryAttach(BufferClient client, out PeerTerms terms)
    {
        terms = Terms;
        Attached += Refusal.IsOk ? 1 : 0;
        return Refusal;
    }

    public void Detach(BufferClient client) => Attached--;

    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        if (place is null || !place.IsValid || GivesNewLists)
        {
            var builder = new PhysRangeListBuilder(machine.RangeOwners);
            builder.TryAppend(new PhysRange(Start, Size)).ThrowIfError();
            place = builder.Build(life.Token);
        }

        list = Refusal.IsOk && !GivesNoList ? place : null;
        return Refusal;
    }

    public Errno TryPin(ReservationLock held, BufferClient client)
    {
        Pins += Refusal.IsOk ? 1 : 0;
        return Refusal;
    }

    public void Unpin(ReservationLock held) => Pins--;

    public void Release() => Releases++;

    internal void Move(PhysAddr start)
    {
        Start = start;
        life.Invalidate();
    }
}
