using Mm.Core.Frames;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

public sealed class PageAllocatorBulkTests
{
    [TestCase(0, 4096)]
    [TestCase(9, 8)]
    public void Many_TakenAndReleased_AreAllThereIs(int order, int count)
    {
        using Machine machine = OneNode();
        var pages = new PageRef[count];
        Assert.That(
            machine.Allocator.TryAllocateMany(AllocationRequest.User with { Order = order }, pages), Is.EqualTo(Errno.Ok));
        Assert.That(pages.Select(page => page.Page).Distinct().Count(), Is.EqualTo(count));
        machine.Validate();
        machine.Allocator.Release(pages);
        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Validate();
    }

    [Test]
    public void Many_MoreThanThereAre_AreRefusedAndNothingIsKept()
    {
        using Machine machine = OneNode();
        var pages = new PageRef[4097];
        Assert.That(machine.Allocator.TryAllocateMany(AllocationRequest.User, pages), Is.EqualTo(Errno.ENOMEM));
        Assert.That(pages, Is.All.EqualTo(default(PageRef)));
        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Allocator.Release(pages);
        machine.Validate();
    }
}
