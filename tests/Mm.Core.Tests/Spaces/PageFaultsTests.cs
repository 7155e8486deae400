using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Faults on leaves of 2 MiB, and on entries that are no mapping.</summary>
internal sealed class PageFaultsTests
{
    private static readonly AreaTraits Huge = Own with { WantsHugePages = true };

    private SpaceRig rig = null!;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void WriteFault_WhereLeavesAreWanted_BringsOne()
    {
        rig.Map(0, 512, Huge);
        rig.Write(100, 5);
        Pte leaf = rig.Space.Tables.ReadLeaf(At(0), out PageSize size);
        Assert.That((size, leaf.IsWritable, leaf.IsDirty, leaf.IsAnonExclusive), Is.EqualTo((PageSize.Large, true, true, true)));
        Assert.That((rig.Resident(), rig.Frames.EntireMapCountOf(leaf.Frame), rig.Frames.ReferencesOf(leaf.Frame)), Is.EqualTo((512UL, 1UL, 1U)));
        Assert.That((rig.Read(100), rig.Read(511)), Is.EqualTo(((byte)5, (byte)0)));
        Assert.That(rig.Mirror.Seen, Is.Empty);
    }

    [Test]
    public void Fault_WhereNoLeafFits_BringsASmallPage([Values] bool isRead)
    {
        rig.Map(1, 511, Huge);
        rig.Map(1024, 512);
        rig.Map(2048, 512, Huge with { Kind = AreaKind.AnonymousShared });
        foreach (ulong page in new ulong[] { 1, 1024, 2048 })
        {
            Assert.That(isRead ? rig.Space.Read(At(page), new byte[1]) : rig.Space.Write(At(page), [1]), Is.EqualTo(FaultResult.Done));
            Assert.That((rig.SizeAt(page), rig.Entry(page + 1).IsNone), Is.EqualTo((PageSize.Small, true)));
        }
    }

    [Test]
    public void Fault_WhereSmallPagesLieAlready_BringsASmallPage()
    {
        rig.Map(0, 512);
        rig.Write(0, 1);
        Assert.That(rig.Space.TryWantHugePages(At(0), Pages(512), wanted: true), Is.EqualTo(Errno.Ok));
        rig.Write(1, 2);
        Assert.That((rig.SizeAt(1), rig.Resident()), Is.EqualTo((PageSize.Small, 2UL)));
    }

    [Test]
    public void WriteFault_WithoutMemoryForALeaf_BringsASmallPage()
    {
        rig.Map(0, 512, Huge);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        rig.Write(0, 1);
        Assert.That(rig.Machine.Faults.FailureCount(FaultPoint.PageAlloc), Is.EqualTo(1));
        Assert.That((rig.Read(0), rig.Resident()), Is.EqualTo(((byte)1, 1UL)));
    }

    [Test]
    public void ReadFault_WhereLeavesAreWanted_ShowsTheLargePageOfZeros()
    {
        rig.Map(0, 1024, Huge);
        Assert.That((rig.Read(0), rig.Read(600)), Is.EqualTo(((byte)0, (byte)0)));
        Assert.That((rig.SizeAt(0), rig.Entry(0).IsZeroPage, rig.Resident()), Is.EqualTo((PageSize.Large, true, 0UL)));
        Assert.That(rig.Entry(512).Frame, Is.EqualTo(rig.Entry(0).Frame), "there is one");
        rig.Validate();
    }

    [Test]
    public void Write_ToTheLargePageOfZeros_BreaksItUpAndBringsOnePage()
    {
        rig.Map(0, 512, Huge);
        Assert.That(rig.Read(0), Is.Zero);
        rig.Write(3, 5);
        Assert.That((rig.SizeAt(3), rig.Entry(3).IsWritable, rig.Entry(4).IsZeroPage), Is.EqualTo((PageSize.Small, true, true)));
        Assert.That((rig.Resident(), rig.Read(3), rig.Read(4)), Is.EqualTo((1UL, (byte)5, (byte)0)));
        (NotifierEvent, VirtRange)[] told = [(NotifierEvent.Clear, Range(0, 512)), (NotifierEvent.Clear, Range(3, 1))];
        Assert.That(rig.Mirror.Seen, Is.EqualTo(told));
        Assert.That(rig.Entry(4).Frame, Is.EqualTo(rig.Spaces.ZeroPage), "the parts show the small page of zeros");
    }

    [Test]
    public void Write_ToASharedLeaf_BreaksItUpAndCopiesOnePage()
    {
        rig.Map(0, 512, Huge);
        rig.Write(3, 5);
        AddressSpace child = rig.Fork();
        rig.Write(3, 6, child);
        Assert.That((rig.SizeAt(0), rig.SizeAt(0, child)), Is.EqualTo((PageSize.Large, PageSize.Small)));
        Assert.That((rig.Read(3), rig.Read(3, child), rig.Read(4, child)), Is.EqualTo(((byte)5, (byte)6, (byte)0)));
        Assert.That((rig.Resident(), rig.Resident(of: child)), Is.EqualTo((512UL, 512UL)));
        Assert.That(rig.Entry(4, child).Frame, Is.EqualTo(rig.Entry(4).Frame));
        rig.Validate();
    }

    [Test]
    public void Write_ToALeafThatIsAloneAgain_UsesItWhole()
    {
        rig.Map(0, 512, Huge);
        rig.Write(3, 5);
        Pfn head = rig.Entry(0).Frame;
        rig.Fork().Dispose();
        rig.Mirror.Seen.Clear();
        rig.Write(3, 6);
        Assert.That((rig.SizeAt(0), rig.Entry(0).Frame, rig.Entry(0).IsAnonExclusive), Is.EqualTo((PageSize.Large, head, true)));
        Assert.That(rig.Mirror.Seen, Is.Empty);
    }

    [TestCase(0UL, 256UL)]
    [TestCase(256UL, 256UL)]
    [TestCase(100UL, 1UL)]
    public void Unmap_OfPartOfALeaf_BreaksItUpAndKeepsTheRest(ulong page, ulong count)
    {
        rig.Map(0, 512, Huge);
        rig.Write(99, 5);
        rig.Write(300, 6);
        rig.Mirror.Seen.Clear();
        Assert.That(rig.Space.TryUnmap(At(page), Pages(count)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Resident(), Is.EqualTo(512 - count));
        Assert.That(rig.Mirror.Seen[0], Is.EqualTo((NotifierEvent.Clear, Range(0, 512))), "mirrors of the 2 MiB are told");
        Assert.That(rig.Mirror.Seen[^1], Is.EqualTo((NotifierEvent.Unmap, Range(page, count))));
        (ulong kept, byte value) = page == 0 ? (300UL, (byte)6) : (99UL, (byte)5);
        Assert.That((rig.SizeAt(kept), rig.Read(kept)), Is.EqualTo((PageSize.Small, value)));
    }

    [Test]
    public void Unmap_OfAWholeLeaf_LetsItGo()
    {
        rig.Map(0, 512, Huge);
        ulong free = rig.Free;
        rig.Write(0, 5);
        Assert.That(rig.Free, Is.EqualTo(free - 512));
        Assert.That(rig.Space.TryUnmap(At(0), Pages(512)), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Free, rig.Resident()), Is.EqualTo((free, 0UL)));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Unmap, Range(0, 512)) }));
    }

    [Test]
    public void Protect_OfAWholeLeafOrAPart_KeepsItWholeOrBreaksItUp([Values] bool isWhole)
    {
        rig.Map(0, 512, Huge);
        rig.Write(3, 5);
        ulong count = isWhole ? 512UL : 8UL;
        Assert.That(rig.Space.TryProtect(At(0), Pages(count), AreaAccess.Read), Is.EqualTo(Errno.Ok));
        Assert.That(rig.SizeAt(3), Is.EqualTo(isWhole ? PageSize.Large : PageSize.Small));
        Assert.That((rig.Space.Write(At(3), [1]), rig.Read(3), rig.Resident()), Is.EqualTo((FaultResult.SegmentationFault, (byte)5, 512UL)));
        Assert.That(rig.Space.TryProtect(At(0), Pages(count), AreaAccess.ReadWrite), Is.EqualTo(Errno.Ok));
        rig.Write(3, 6);
        Assert.That((rig.Read(3), rig.Resident()), Is.EqualTo(((byte)6, 512UL)));
    }

    [TestCase(1024UL, true)]
    [TestCase(1025UL, false)]
    public void Move_OfALeaf_KeepsItWholeWhereItLiesAlike(ulong to, bool isWhole)
    {
        rig.Map(0, 512, Huge);
        rig.Write(3, 5);
        Pfn head = rig.Entry(0).Frame;
        var move = new AreaMove(At(0), Pages(512), Pages(512)) { MayMove = true, To = At(to) };
        Assert.That(rig.Space.TryMove(move, out _), Is.EqualTo(Errno.Ok));
        Assert.That((rig.SizeAt(to), rig.Entry(to).Frame), Is.EqualTo((isWhole ? PageSize.Large : PageSize.Small, head)));
        Assert.That((rig.Read(to + 3), rig.Resident()), Is.EqualTo(((byte)5, 512UL)));
    }

    [Test]
    public void DropPages_OfPartOfALeaf_ReadsZerosThere()
    {
        rig.Map(0, 512, Huge);
        rig.Write(3, 5);
        rig.Write(4, 6);
        Assert.That(rig.Space.TryDropPages(At(3), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Read(3), rig.Read(4), rig.Resident()), Is.EqualTo(((byte)0, (byte)6, 511UL)));
    }

    [Test]
    public void Fault_OnBrokenMemoryOrAMarker_IsAnError()
    {
        rig.Map(0, 3);
        rig.Write(0, 1);
        Assert.That(rig.Space.TryDropPages(At(0), Pages(1)), Is.EqualTo(Errno.Ok)); // its table stays
        Put(0, Pte.Poisoned(new Pfn(100)));
        Put(1, Pte.Marker(PteMarkers.Poisoned));
        Put(2, Pte.Marker(PteMarkers.WriteProtected));
        FaultResult[] results = [.. new ulong[] { 0, 1, 2 }.Select(page => rig.Space.Read(At(page), new byte[1]))];
        Assert.That(results, Is.EqualTo(new[] { FaultResult.HwPoison, FaultResult.HwPoison, FaultResult.BusError }));
        Assert.That((rig.PinErrno(0, PinFlags.None), rig.PinErrno(1, PinFlags.Write)), Is.EqualTo((Errno.EHWPOISON, Errno.EHWPOISON)));
        Assert.That(rig.PinErrno(2, PinFlags.None), Is.EqualTo(Errno.EFAULT));
        Assert.That(rig.Space.TryPopulateWrite(At(0), Pages(1)), Is.EqualTo(Errno.EHWPOISON));
    }

    private void Put(ulong page, Pte entry) =>
        Assert.That(rig.Space.Tables.TryExchange(At(page), default, entry, out _), Is.EqualTo(Errno.Ok));
}
