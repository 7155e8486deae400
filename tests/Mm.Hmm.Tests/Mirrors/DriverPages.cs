using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>A driver's file whose pages are made as it is mapped and live as long as entries show them; see dmirror_fops_mmap.</summary>
internal sealed class DriverPages : IAreaOperations
{
    private readonly Machine machine;
    private readonly bool isCounted;

    /// <summary>The file.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="kind">What its entries are.</param>
    /// <param name="isCounted">Whether each entry counts its page; if not, it shows <see cref="Frame"/>.</param>
    internal DriverPages(Machine machine, AreaKind kind = AreaKind.Mixed, bool isCounted = true)
    {
        this.machine = machine;
        this.isCounted = isCounted;
        Backing = new AreaBacking(kind, this);
    }

    internal AreaBacking Backing { get; }

    /// <summary>A frame without metadata.</summary>
    internal Pfn Frame { get; set; }

    /// <summary>Whether faults are answered, by a fresh page or by <see cref="Frame"/>.</summary>
    internal bool AnswersFaults { get; init; }

    public Errno TryMap(AreaFilling filling)
    {
        Errno errno = Errno.Ok;
        for (ulong page = 0; !AnswersFaults && errno.IsOk && page < filling.Area.Pages.Value; page++)
        {
            errno = TryInsert(filling, filling.Area.Start.AddChecked(new PageCount(page).ToBytes()));
        }

        return errno;
    }

    public FaultResult Fault(AreaFilling filling, AreaFault fault) =>
        AnswersFaults && TryInsert(filling, fault.Address).IsOk ? FaultResult.Done : FaultResult.BusError;

    private Errno TryInsert(AreaFilling filling, VirtAddr at)
    {
        if (!isCounted)
        {
            return filling.InsertFrame(at, Frame) == FaultResult.Done ? Errno.Ok : Errno.ENOMEM;
        }

        Errno errno = machine.Allocator.TryAllocate(AllocationRequest.Kernel with { IsZeroed = true }, out PageRef page);
        if (errno.IsOk)
        {
            errno = filling.TryInsertPage(at, page.Page);
            page.Dispose();
        }

        return errno;
    }
}
