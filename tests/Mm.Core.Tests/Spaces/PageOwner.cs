using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

/// <summary>A driver with pages of its own that processes map page by page, each counted; see dmirror_fops_mmap.</summary>
internal sealed class PageOwner : IAreaOperations, IDisposable
{
    private readonly PageRef[] pages;

    internal PageOwner(Machine machine, int count = 4, bool fillsAtOnce = true)
    {
        pages = new PageRef[count];
        foreach (ref PageRef page in pages.AsSpan())
        {
            Assert.That(machine.Allocator.TryAllocate(AllocationRequest.Kernel with { IsZeroed = true }, out page), Is.EqualTo(Errno.Ok));
        }

        FillsAtOnce = fillsAtOnce;
        Backing = new AreaBacking(AreaKind.Mixed, this);
    }

    internal AreaBacking Backing { get; }

    internal bool FillsAtOnce { get; }

    internal Pfn Page(int index) => pages[index].Page;

    public Errno TryMap(AreaFilling filling)
    {
        Errno errno = Errno.Ok;
        for (ulong page = 0; FillsAtOnce && errno.IsOk && page < filling.Area.Pages.Value; page++)
        {
            VirtAddr at = filling.Area.Start.AddChecked(new PageCount(page).ToBytes());
            errno = filling.TryInsertPage(at, Page((int)(filling.Area.Offset.Value + page)));
        }

        return errno;
    }

    public FaultResult Fault(AreaFilling filling, AreaFault fault)
    {
        if (fault.Offset.Value >= (ulong)pages.Length)
        {
            return FaultResult.BusError;
        }

        Errno errno = filling.TryInsertPage(fault.Address, Page((int)fault.Offset.Value));
        return errno == Errno.ENOMEM ? FaultResult.OutOfMemory : FaultResult.Done;
    }

    /// <summary>Ends what the driver holds; entries hold on.</summary>
    public void Dispose()
    {
        foreach (PageRef page in pages)
        {
            page.Dispose();
        }
    }
}
