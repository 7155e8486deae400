using Mm.Core.Frames;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

/// <summary>The straight way from the thread's stack and back, and what must send a page the general way instead.</summary>
public sealed class PageAllocatorHotTests
{
    [TestCase(0)]
    [TestCase(9)]
    public void TwoMachinesInTurn_OnOneThread_KeepTheirPagesApart(int order)
    {
        using Machine one = OneNode();
        using Machine two = OneNode();
        AllocationRequest request = AllocationRequest.User with { Order = order };
        for (int i = 0; i < 10; i++)
        {
            using PageRef first = one.Take(request);
            using PageRef second = two.Take(request);
            Assert.That(one.Allocator.Statistics.InUse, Is.EqualTo(PageCount.OfOrder(order)));
        }

        Assert.That(one.Allocator.Statistics.InUse.IsZero && two.Allocator.Statistics.InUse.IsZero, Is.True);
        one.Validate();
        two.Validate();
    }

    [Test]
    public void PageFreedWithHarmlessFlagsAndWords_ComesBackClean()
    {
        using Machine machine = OneNode();
        machine.Take(AllocationRequest.User).Dispose();
        PageRef page = machine.Take(AllocationRequest.User);
        Pfn frame = page.Page;
        _ = machine.Frames.SetFlags(frame, PageFlags.Referenced | PageFlags.Dirty);
        machine.Frames.Meta(frame.Value).Index = 7;
        machine.Frames.Meta(frame.Value).Private = 9;
        page.Dispose();
        using PageRef again = machine.Take(AllocationRequest.User);
        Assert.That(again.Page, Is.EqualTo(frame), "the newest page comes first");
        PageMeta meta = machine.Frames.Meta(frame.Value);
        Assert.That(again.Info.Flags, Is.EqualTo(PageFlags.None));
        Assert.That((meta.Index, meta.Private), Is.EqualTo((0UL, 0UL)));
        machine.Validate();
    }

    [Test]
    public void StalePut_OfAHotPage_Throws()
    {
        using Machine machine = OneNode();
        machine.Take(AllocationRequest.User).Dispose();
        PageRef page = machine.Take(AllocationRequest.User);
        page.Dispose();
        Assert.That(page.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        using PageRef next = machine.Take(AllocationRequest.User);
        Assert.That(page.Dispose, Throws.InstanceOf<ObjectDisposedException>(), "the frame lives again");
        Assert.That(next.Info.References, Is.EqualTo(1u));
        machine.Validate();
    }

    [Test]
    public void PinScope_AfterTheSameRequestWasHot_IsHonoured()
    {
        using Machine machine = TwoNodes();
        machine.Take(AllocationRequest.User).Dispose();
        machine.Take(AllocationRequest.User).Dispose();
        using (machine.Allocator.EnterPinScope())
        {
            using PageRef page = machine.Take(AllocationRequest.User);
            Assert.That(page.Info.Zone, Is.EqualTo(ZoneKind.Normal));
        }

        using PageRef after = machine.Take(AllocationRequest.User);
        Assert.That(after.Info.Zone, Is.EqualTo(ZoneKind.Movable));
        machine.Validate();
    }
}
