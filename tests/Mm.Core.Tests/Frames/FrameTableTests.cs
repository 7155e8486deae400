using Mm.Core.Checks;
using Mm.Core.Frames;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

public sealed class FrameTableTests
{
    private static readonly PfnRange Low = new(new Pfn(8192), new PageCount(1024)); // above 16 MiB of RAM
    private static readonly PfnRange High = new(new Pfn((1UL << 40) - 512), new PageCount(512)); // the top of 2^52 bytes

    [Test]
    public void TryGet_WithoutMetadata_IsENXIO()
    {
        using Machine machine = OneNode();
        foreach (Pfn page in new[] { new Pfn(4096), Pfn.MaxValue })
        {
            Assert.That(machine.Frames.TryGet(page, out PageRef reference), Is.EqualTo(Errno.ENXIO));
            Assert.That(machine.Frames.TryPin(page, out PagePin pin), Is.EqualTo(Errno.ENXIO));
            Assert.That(reference.IsEmpty && pin.IsEmpty, Is.True);
            Assert.That(machine.Frames.HasMetadata(page), Is.False);
            Assert.That(() => machine.Frames.Describe(page), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => machine.Frames.IsLongTermPinnable(page), Throws.InstanceOf<ArgumentOutOfRangeException>());
        }
    }

    [Test]
    public void TryGet_OfAFreePage_IsENOENTWhereverItLies()
    {
        using Machine machine = OneNode();
        Assert.That(machine.Frames.TryGet(new Pfn(100), out _), Is.EqualTo(Errno.ENOENT), "untouched");
        PageRef page = machine.Take(AllocationRequest.User);
        Pfn frame = page.Page;
        page.Dispose();
        Assert.That(machine.Frames.TryGet(frame, out _), Is.EqualTo(Errno.ENOENT), "on a stack");
        machine.Allocator.DrainStacks();
        Assert.That(machine.Frames.TryPin(frame, out _), Is.EqualTo(Errno.ENOENT), "in its zone");
        machine.Validate();
    }

    [Test]
    public void TryGet_OfAFrozenPage_IsEAGAIN()
    {
        using Machine machine = OneNode();
        using PageRef page = machine.Take(AllocationRequest.User);
        Assert.That(machine.Frames.TryFreeze(page.Page, 2), Is.False);
        Assert.That(machine.Frames.TryFreeze(page.Page, 1), Is.True);
        Assert.That(machine.Frames.TryGet(page.Page, out _), Is.EqualTo(Errno.EAGAIN));
        machine.Frames.Unfreeze(page.Page, 1);
        Assert.That(() => machine.Frames.Unfreeze(page.Page, 1), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void TryGet_AtTheBound_IsENOMEM()
    {
        using Machine machine = OneNode();
        using PageRef page = machine.Take(AllocationRequest.User);
        Assert.That(machine.Frames.TryFreeze(page.Page, 1), Is.True);
        machine.Frames.Unfreeze(page.Page, PageCountWord.MaxReferences);
        Assert.That(machine.Frames.TryGet(page.Page, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(page.TryAddReference(out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(page.TryPin(out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(machine.Frames.TryFreeze(page.Page, PageCountWord.MaxReferences), Is.True);
        machine.Frames.Unfreeze(page.Page, 1);
    }

    // D5 of the facts.
    [Test]
    public void Pin_OfASmallPage_AddsExactly1024References()
    {
        using Machine machine = OneNode();
        using PageRef page = machine.Take(AllocationRequest.User);
        Assert.That(page.TryPin(out PagePin pin), Is.EqualTo(Errno.Ok));
        Assert.That((page.Info.References, page.Info.Pins, page.Info.MaybePinned), Is.EqualTo((1025u, 0u, true)));
        pin.Dispose();
        Assert.That((page.Info.References, page.Info.MaybePinned), Is.EqualTo((1u, false)));
        Assert.That(pin.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        machine.Validate();
    }

    [Test]
    public void Pin_OfAFolioThroughATail_CountsApartAndTakesOneReference()
    {
        using Machine machine = OneNode();
        using PageRef folio = machine.Take(AllocationRequest.User with { Order = 9 });
        Pfn tail = folio.Page.AddChecked(new PageCount(511));
        Assert.That(machine.Frames.TryPin(tail, out PagePin pin), Is.EqualTo(Errno.Ok));
        PageInfo info = machine.Frames.Describe(tail);
        Assert.That((info.References, info.Pins, info.IsTail, info.Head), Is.EqualTo((2u, 1u, true, folio.Page)));
        Assert.That(machine.Frames.TryFreeze(folio.Page, 2), Is.False, "a pinned folio does not freeze");
        pin.Dispose();
        Assert.That(folio.Info.Pins, Is.Zero);
        machine.Validate();
    }

    [Test]
    public void Folio_HeldThroughATail_IsFreedByTheTailsReference()
    {
        using Machine machine = OneNode();
        PageRef folio = machine.Take(AllocationRequest.User with { Order = 3 });
        Pfn tail = folio.Page.AddChecked(new PageCount(5));
        Assert.That(machine.Frames.TryGet(tail, out PageRef held), Is.EqualTo(Errno.Ok));
        PfnRange frames = folio.Frames;
        folio.Dispose();
        Assert.That(held.Frames, Is.EqualTo(frames));
        Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.OfOrder(3)));
        held.Dispose();
        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Validate();
    }

    [Test]
    public void Reference_PutTwice_IsFoundOutEvenAfterTheFrameIsTakenAgain()
    {
        using Machine machine = OneNode();
        PageRef page = machine.Take(AllocationRequest.User);
        page.Dispose();
        Assert.That(page.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        using PageRef again = machine.Take(AllocationRequest.User);
        Assert.That(again.Page, Is.EqualTo(page.Page));
        Assert.That(again, Is.Not.EqualTo(page));
        Assert.That(page.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => page.TryAddReference(out _), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => page.Frames, Throws.InstanceOf<ObjectDisposedException>());
        machine.Validate();
    }

    [Test]
    public void DefaultLeases_AreEmptyAndHarmless()
    {
        default(PageRef).Dispose();
        default(PagePin).Dispose();
        default(PageBlock).Dispose();
        default(PinScope).Dispose();
        Assert.That(() => default(PageRef).Info, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => default(PageBlock).Split([]), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void PageFreedWhileLocked_IsABug()
    {
        using Machine machine = OneNode();
        PageRef page = machine.Take(AllocationRequest.User);
        Assert.That(machine.Frames.SetFlags(page.Page, PageFlags.Locked), Is.EqualTo(PageFlags.None));
        Assert.That(page.Dispose, Throws.InstanceOf<MmBugException>());
        Assert.That(machine.Frames.ClearFlags(page.Page, PageFlags.Locked), Is.EqualTo(PageFlags.Locked));
    }

    [Test]
    public void DevicePages_InEveryPlace_AreIdleUntilTaken([Values] bool isHigh, [Values(0u, 1u)] uint idle)
    {
        using Machine machine = OneNode();
        var owner = new Owner(machine.Frames);
        var span = new FrameSpan(isHigh ? High : Low, Node1, ZoneKind.Device, 7, owner, idle);
        Assert.That(machine.Frames.TryAddDevicePages(span), Is.EqualTo(Errno.Ok));
        Assert.That(machine.Frames.TryAddDevicePages(span), Is.EqualTo(Errno.ENOMEM));
        Pfn page = span.Range.Start.AddChecked(new PageCount(span.Range.Count.Value - 1));
        PageInfo info = machine.Frames.Describe(page);
        Assert.That((info.Node, info.Zone, info.IsDevice, info.References), Is.EqualTo((Node1, ZoneKind.Device, true, idle)));
        Assert.That(machine.Frames.TryGet(page, out PageRef early), Is.EqualTo(idle == 0 ? Errno.ENOENT : Errno.Ok));
        early.Dispose();
        Assert.That(machine.Frames.TryTakeDevicePage(page), Is.EqualTo(idle == 0 ? Errno.Ok : Errno.EBUSY));
        Assert.That(machine.Frames.TryTakeDevicePage(page), Is.EqualTo(Errno.EBUSY));
        Assert.That(machine.Frames.TryTakeDevicePage(Pfn.Zero), Is.EqualTo(Errno.ENXIO));
        Assert.That(machine.Frames.TryGet(page, out PageRef held), Is.EqualTo(Errno.Ok));
        Assert.That(held.Info.Flags, Is.EqualTo(idle == 0 ? PageFlags.Locked : PageFlags.None));
        machine.Frames.Put(held.Token);
        Assert.That(owner.Returned, Is.Empty);
        held.Dispose();
        Assert.That(owner.Returned, Is.EqualTo(new[] { page }));
        Assert.That(machine.Frames.Describe(page).References, Is.EqualTo(idle));
        machine.Frames.RemoveDevicePages(span);
        Assert.That(machine.Frames.TryGet(page, out _), Is.EqualTo(Errno.ENXIO));
        machine.Validate();
    }

    // B3 of the facts.
    [Test]
    public void DeviceMemory_IsNeverAllocated()
    {
        using Machine machine = OneNode();
        var span = new FrameSpan(Low, Node1, ZoneKind.Device, 1, new Owner(machine.Frames));
        Assert.That(machine.Frames.TryAddDevicePages(span), Is.EqualTo(Errno.Ok));
        Assert.That(machine.Allocator.HasMemory(Node1), Is.False);
        Assert.That(machine.Allocator.ZonesFor(AllocationRequest.User with { Node = Node1 }).Select(zone => zone.Node), Is.All.EqualTo(Node0));
        List<PageRef> pages = machine.TakeAll(AllocationRequest.User with { Node = Node1 });
        Assert.That(pages.TrueForAll(page => !Low.Contains(page.Page)), Is.True);
        pages.PutAll();
        machine.Validate();
    }

    private sealed class Owner(FrameTable table) : IDevicePageOwner
    {
        internal List<Pfn> Returned { get; } = [];

        public void OnLastReference(Pfn page)
        {
            Returned.Add(page);
            table.ReturnDevicePage(page);
        }
    }
}
