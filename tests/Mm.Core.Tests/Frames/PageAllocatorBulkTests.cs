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

    [TestCase(1)]
    [TestCase(62)]
    [TestCase(63)]
    [TestCase(64)]
    [TestCase(1000)]
    public void Many_AreThePagesThatCallsOneByOneGive(int count)
    {
        using Machine one = OneNode();
        using Machine other = OneNode();
        one.Take(AllocationRequest.User).Dispose(); // leaves a stack, which the call takes from at once
        other.Take(AllocationRequest.User).Dispose();
        var many = new PageRef[count];
        one.Allocator.TryAllocateMany(AllocationRequest.User, many).ThrowIfError();
        List<PageRef> single = [.. Enumerable.Range(0, count).Select(_ => other.Take(AllocationRequest.User))];
        Assert.That(many.Select(static page => page.Page), Is.EqualTo(single.Select(static page => page.Page)));
        Assert.That(one.Allocator.Statistics, Is.EqualTo(other.Allocator.Statistics));
        one.Validate();
        one.Allocator.Release(many);
        single.PutAll();
    }
}
