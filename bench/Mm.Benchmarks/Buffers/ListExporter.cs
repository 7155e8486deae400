using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Benchmarks.Buffers;

/// <summary>An exporter over one list of RAM that nobody touches: what is measured is the sharing, not the memory.</summary>
internal sealed class ListExporter(PhysRangeList list, BufferTraits traits) : IBufferExporter
{
    public string Name => "list";

    public ByteCount Size { get; } = list.Length;

    public BufferTraits Traits => traits;

    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? place)
    {
        place = list;
        return Errno.Ok;
    }

    public void Release()
    {
    }

    /// <summary>1 GiB of RAM: in pieces of 4 KiB with a hole after each, or in one.</summary>
    internal static PhysRangeList OneGiB(Machine machine, bool isFragmented)
    {
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        ulong piece = isFragmented ? 4096 : 1UL << 30;
        for (ulong at = 0; at < 1UL << 30; at += piece)
        {
            builder.TryAppend(new PhysRange(new PhysAddr(2 * at), new ByteCount(piece))).ThrowIfError();
        }

        return builder.Build();
    }
}
