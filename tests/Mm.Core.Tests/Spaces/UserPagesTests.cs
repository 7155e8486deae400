using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Who may pin what, and what a pin counts.</summary>
internal sealed class UserPagesTests
{
    private SpaceRig rig = null!;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void Pin_OfPeerMemory_IsEremoteioUnlessItIsWelcome([Values] bool isFast)
    {
        // D1
        Pagemap map = rig.MapDevice(PagemapKind.PciP2pDma, new Driver());
        PinFlags fast = isFast ? PinFlags.Fast : PinFlags.None;
        rig.Map(0, 1, new AreaTraits(AreaKind.PeerMemory, AreaAccess.ReadWrite) { Backing = map });
        Pfn page = PutPeerPage(map, 0);
        Assert.That(rig.PinErrno(0, PinFlags.Write | fast), Is.EqualTo(Errno.EREMOTEIO));
        PagePin pin = rig.Pin(0, PinFlags.Write | PinFlags.PeerMemory | fast);
        Assert.That((pin.Page, rig.Frames.ReferencesOf(page)), Is.EqualTo((page, 1024U + 1U + IdleOf(map))));
        pin.Dispose();
        Assert.That(rig.Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        map.Unmap();
    }

    [Test]
    public void Pin_LongTermOfPeerMemory_IsEinval()
    {
        // D2
        rig.Map(0, 1);
        Assert.That(rig.PinErrno(0, PinFlags.LongTerm | PinFlags.PeerMemory), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.PinErrno(0, PinFlags.LongTerm | PinFlags.PeerMemory | PinFlags.Fast), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Space.TryPin(At(0), PinFlags.LongTerm | PinFlags.PeerMemory, [], out _), Is.EqualTo(Errno.EINVAL), "even of nothing");
    }

    [Test]
    public void Pin_LongTermOfACoherentPage_MovesItToRam([Values] bool isFast)
    {
        // D3
        PinFlags fast = isFast ? PinFlags.Fast : PinFlags.None;
        Pagemap map = rig.MapDevice(PagemapKind.DeviceCoherent, new Driver());
        rig.Map(0, 1);
        Pfn page = PutCoherentPage(map, 0, 7);
        PagePin plain = rig.Pin(0, PinFlags.Write | fast);
        Assert.That(plain.Page, Is.EqualTo(page), "a plain pin leaves it in place");
        Assert.That(rig.PinErrno(0, PinFlags.Write | PinFlags.LongTerm | fast), Is.EqualTo(Errno.EBUSY), "held: it cannot move");
        Assert.That((rig.Entry(0).Frame, rig.Read(0)), Is.EqualTo((page, (byte)7)));
        plain.Dispose();
        PagePin pin = rig.Pin(0, PinFlags.Write | PinFlags.LongTerm | fast);
        Assert.That((rig.Frames.IsDevice(pin.Page), rig.Entry(0).Frame), Is.EqualTo((false, pin.Page)));
        rig.Write(0, 8);
        Assert.That(rig.Peek(pin.Page), Is.EqualTo(8));
        pin.Dispose();
        map.Unmap();
    }

    [TestCase(PinFlags.None)]
    [TestCase(PinFlags.Write)]
    [TestCase(PinFlags.Write | PinFlags.Force)]
    [TestCase(PinFlags.Fast | PinFlags.LongTerm)]
    [TestCase(PinFlags.PeerMemory)]
    public void Pin_OfFramesWithoutStructPage_IsEfaultWhateverTheFlags(PinFlags flags)
    {
        // D4
        rig.Map(0, 1, new AreaTraits(AreaKind.PfnMapped, AreaAccess.ReadWrite) { Backing = new object() });
        rig.Map(1, 1, new AreaTraits(AreaKind.DeviceMemory, AreaAccess.ReadWrite) { Backing = new object() });
        Assert.That((rig.PinErrno(0, flags), rig.PinErrno(1, flags)), Is.EqualTo((Errno.EFAULT, Errno.EFAULT)));
    }

    [TestCase(PinFlags.Write)]
    [TestCase(PinFlags.Write | PinFlags.Fast)]
    [TestCase(PinFlags.None)]
    [TestCase(PinFlags.LongTerm | PinFlags.Fast)]
    public void Pin_OfASmallPage_Adds1024References(PinFlags flags)
    {
        // D5
        rig.Map(0, 1);
        rig.Write(0, 1);
        Pfn page = rig.Entry(0).Frame;
        PagePin pin = rig.Pin(0, flags);
        Assert.That((pin.Page, rig.Frames.ReferencesOf(page), rig.Frames.MaybePinned(page)), Is.EqualTo((page, 1025U, true)));
        PagePin second = rig.Pin(0, flags);
        Assert.That(rig.Frames.ReferencesOf(page), Is.EqualTo(2049U));
        second.Dispose();
        pin.Dispose();
        Assert.That((rig.Frames.ReferencesOf(page), rig.Frames.MaybePinned(page)), Is.EqualTo((1U, false)));
    }

    [Test]
    public void Pin_OfThePageOfZeros_LeavesItUntouched([Values] bool isFast)
    {
        // D5
        rig.Map(0, 1);
        uint before = rig.Frames.ReferencesOf(rig.Spaces.ZeroPage);
        PagePin pin = rig.Pin(0, isFast ? PinFlags.Fast : PinFlags.None);
        Assert.That((pin.IsEmpty, pin.Page), Is.EqualTo((true, rig.Spaces.ZeroPage)));
        Assert.That(rig.Frames.ReferencesOf(rig.Spaces.ZeroPage), Is.EqualTo(before));
        pin.Dispose();
        Assert.That((rig.Frames.ReferencesOf(rig.Spaces.ZeroPage), rig.Resident()), Is.EqualTo((before, 0UL)));
    }

    [Test]
    public void Pin_LongTermOfThePageOfZeros_GetsAPageOfItsOwn([Values] bool isFast)
    {
        rig.Map(0, 1);
        Assert.That(rig.Read(0), Is.Zero);
        PagePin pin = rig.Pin(0, PinFlags.LongTerm | (isFast ? PinFlags.Fast : PinFlags.None));
        Assert.That((pin.IsEmpty, pin.Page, rig.Resident()), Is.EqualTo((false, rig.Entry(0).Frame, 1UL)));
        rig.Write(0, 3);
        Assert.That(rig.Peek(pin.Page), Is.EqualTo(3));
        pin.Dispose();
    }

    [Test]
    public void Pin_WhichALaterPageRefuses_GivesThoseBefore([Values] bool isFast, [Values] bool isMapped)
    {
        rig.Map(0, 2);
        if (isMapped)
        {
            Assert.That(rig.Space.TryPopulateWrite(At(0), Pages(2)), Is.EqualTo(Errno.Ok));
        }

        var pins = new PagePin[4];
        PinFlags flags = PinFlags.Write | (isFast ? PinFlags.Fast : PinFlags.None);
        Assert.That(rig.Space.TryPin(At(0, 5), flags, pins, out int count), Is.EqualTo(Errno.Ok));
        Assert.That((count, pins[0].Page, pins[1].Page), Is.EqualTo((2, rig.Entry(0).Frame, rig.Entry(1).Frame)));
        Assert.That(pins.Skip(2), Is.All.EqualTo(default(PagePin)));
        pins[0].Dispose();
        pins[1].Dispose();
    }

    [Test]
    public void Pin_WithoutMemoryHalfWay_GivesThoseBefore()
    {
        rig.Map(0, 2);
        rig.Write(0, 1);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        var pins = new PagePin[2];
        Assert.That(rig.Space.TryPin(At(0), PinFlags.Write, pins, out int count), Is.EqualTo(Errno.Ok));
        Assert.That(count, Is.EqualTo(1));
        pins[0].Dispose();
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.PinErrno(1, PinFlags.Write), Is.EqualTo(Errno.ENOMEM));
    }

    [Test]
    public void Pin_WhatCannotBe_SaysWhy()
    {
        MemoryFile file = rig.CreateFile(1);
        rig.Map(0, 1, Own with { Access = AreaAccess.Read });
        rig.Map(1, 1, Own with { Access = AreaAccess.None });
        rig.Map(2, 2, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        Assert.That(rig.PinErrno(0, PinFlags.Write), Is.EqualTo(Errno.EFAULT), "read-only");
        Assert.That(rig.PinErrno(1, PinFlags.None), Is.EqualTo(Errno.EFAULT), "not even readable");
        Assert.That(rig.PinErrno(3, PinFlags.None), Is.EqualTo(Errno.EFAULT), "beyond the file's end");
        Assert.That(rig.PinErrno(9, PinFlags.None), Is.EqualTo(Errno.EFAULT), "no area");
        Assert.That(rig.PinErrno(0, PinFlags.NoFault), Is.EqualTo(Errno.EFAULT), "not there, and no fault allowed");
        var two = new PagePin[2];
        Assert.That(rig.Space.TryPin(new VirtAddr(ulong.MaxValue), PinFlags.None, two, out _), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(rig.Space.TryPin(new VirtAddr((1UL << 47) - Page), PinFlags.None, two, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Space.TryPin(At(9), PinFlags.None, [], out int count), Is.EqualTo(Errno.Ok), "nothing asked");
        Assert.That((count, rig.Space.HasPinned), Is.EqualTo((0, true)), "it was tried");
    }

    [Test]
    public void Pin_WithForce_WritesWhereTheProcessMayNotAndNeverToAFile()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 1, Own with { Access = AreaAccess.Read });
        rig.Map(1, 1, new AreaTraits(AreaKind.FilePrivate, AreaAccess.Read) { Backing = file });
        rig.Map(2, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.Read) { Backing = file });
        foreach (ulong at in new[] { 0UL, 1UL })
        {
            PagePin pin = rig.Pin(at, PinFlags.Write | PinFlags.Force);
            rig.Poke(pin.Page, 9);
            Assert.That(rig.Read(at), Is.EqualTo(9));
            pin.Dispose();
        }

        Assert.That(rig.PinErrno(2, PinFlags.Write | PinFlags.Force), Is.EqualTo(Errno.EFAULT), "shared");
        Assert.That(rig.Read(2), Is.EqualTo(7));
    }

    [Test]
    public void Pin_LongTermInAMovableZone_MovesThePageOut([Values] bool isFast)
    {
        using var movable = new SpaceRig(
            shape: static builder => builder.WithMovableZone(new NodeId(0), ByteCount.FromMiB(8)));
        movable.Map(0, 1);
        movable.Write(0, 5);
        Pfn before = movable.Entry(0).Frame;
        Assert.That(movable.Frames.IsLongTermPinnable(before), Is.False);
        PagePin plain = movable.Pin(0, PinFlags.Write);
        Assert.That(plain.Page, Is.EqualTo(before));
        Assert.That(movable.PinErrno(0, PinFlags.LongTerm | PinFlags.Write), Is.EqualTo(Errno.ENOMEM), "pinned: it cannot move");
        plain.Dispose();
        PagePin pin = movable.Pin(0, PinFlags.LongTerm | PinFlags.Write | (isFast ? PinFlags.Fast : PinFlags.None));
        Assert.That((movable.Frames.IsLongTermPinnable(pin.Page), movable.Entry(0).Frame), Is.EqualTo((true, pin.Page)));
        Assert.That(movable.Read(0), Is.EqualTo(5));
        pin.Dispose();
    }

    [Test]
    public void Pin_WithSplitLarge_BreaksUpTheLeaf()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        rig.Write(0, 1);
        PagePin whole = rig.Pin(5, PinFlags.Write);
        Assert.That((rig.SizeAt(5), rig.Frames.Describe(whole.Page).Pins), Is.EqualTo((PageSize.Large, 1U)), "large folios count pins apart");
        PagePin part = rig.Pin(5, PinFlags.Write | PinFlags.SplitLarge);
        Assert.That((rig.SizeAt(5), part.Page), Is.EqualTo((PageSize.Small, whole.Page)));
        part.Dispose();
        whole.Dispose();
    }

    [Test]
    public void TryGetPages_OfAPageAndZeros_TakesOneReferenceOfThePage()
    {
        rig.Map(0, 2);
        rig.Write(0, 1);
        Pfn page = rig.Entry(0).Frame;
        var pages = new PageRef[3];
        Assert.That(rig.Space.TryGetPages(At(0), PinFlags.None, pages, out int count), Is.EqualTo(Errno.Ok));
        Assert.That((count, rig.Frames.ReferencesOf(page), pages[1].IsEmpty, pages[2].IsEmpty), Is.EqualTo((2, 2U, true, true)));
        pages[0].Dispose();
    }

    private static uint IdleOf(Pagemap map) => map.Kind == PagemapKind.PciP2pDma ? 0U : 1U;

    // As p2pmem's mapping leaves it: the page handed out, its entry present, special to nobody.
    private Pfn PutPeerPage(Pagemap map, ulong at)
    {
        Pfn page = HandOut(map);
        rig.Frames.AddMapping(page);
        rig.Space.CountRss(rig.Spaces.KindOf(page), 1);
        Pte entry = Pte.Present(page, PteProtection.ReadWrite);
        Assert.That(rig.Space.Tables.TryExchange(At(at), default, entry, out _), Is.EqualTo(Errno.Ok));
        return page;
    }

    private Pfn PutCoherentPage(Pagemap map, ulong at, byte value)
    {
        Pfn page = HandOut(map);
        rig.Poke(page, value);
        Area area = rig.Space.FindArea(At(at))!;
        rig.Space.PrepareRoot(area);
        rig.Space.AddNewAnonymous(area, At(at), page, pages: 1);
        Pte entry = Pte.Present(page, area.EntryProtection).MakeDirty().MakeAccessed().MakeAnonExclusive().MakeWritable();
        Assert.That(rig.Space.Tables.TryExchange(At(at), default, entry, out _), Is.EqualTo(Errno.Ok));
        return page;
    }

    private static Pfn HandOut(Pagemap map)
    {
        Pfn page = map.Ranges[0].Start;
        Assert.That(map.TryHandOut(page, out _, out PageLock pageLock), Is.EqualTo(Errno.Ok)); // the entry's reference
        pageLock.Dispose();
        return page;
    }
}
