using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>The steps of moving a page, and folios broken up for it.</summary>
internal sealed class PageMigrationTests
{
    private SpaceRig rig = null!;

    private PageMigration Migration => rig.Spaces.Migration;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void Isolate_OfAPage_IsForOneMoverAlone()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        Pfn page = rig.Entry(0).Frame;
        Assert.That((Migration.TryIsolate(page), Migration.TryIsolate(page)), Is.EqualTo((true, false)));
        Migration.PutBack(page);
        Assert.That(() => Migration.PutBack(page), Throws.InstanceOf<MmBugException>());
        Assert.That(Migration.TryIsolate(page), Is.True);
        Migration.PutBack(page);
    }

    [Test]
    public void CanMove_OfAPage_CountsMappingsAndTheMover()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        _ = rig.Fork();
        Pfn page = rig.Entry(0).Frame;
        Assert.That(rig.Frames.TryGet(page, out PageRef mover), Is.EqualTo(Errno.Ok));
        Assert.That(Migration.CanMove(page, isFaultPage: false), Is.True);
        Assert.That(rig.Frames.TryGet(page, out PageRef stray), Is.EqualTo(Errno.Ok));
        Assert.That((Migration.CanMove(page, isFaultPage: false), Migration.CanMove(page, isFaultPage: true)), Is.EqualTo((false, true)));
        stray.Dispose();
        mover.Dispose();
    }

    [Test]
    public void MoveToRam_OfASharedPage_MovesItForEveryone()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        AddressSpace child = rig.Fork();
        Pfn before = rig.Entry(0).Frame;
        Assert.That(MoveToRam(before), Is.EqualTo(Errno.Ok));
        Pfn after = rig.Entry(0).Frame;
        Assert.That((after == before, rig.Entry(0, child).Frame), Is.EqualTo((false, after)));
        Assert.That((rig.Frames.Describe(after).MapCount, rig.Frames.ReferencesOf(after)), Is.EqualTo((2U, 2U)));
        Assert.That((rig.Read(0), rig.Read(0, child)), Is.EqualTo(((byte)5, (byte)5)));
        Assert.That(rig.Frames.TryGet(before, out _), Is.EqualTo(Errno.ENOENT), "the old page is free");
        rig.Validate();
        rig.Write(0, 6, child);
        Assert.That(rig.Read(0), Is.EqualTo(5));
        Assert.That(MoveToRam(after), Is.EqualTo(Errno.Ok), "and again");
    }

    [Test]
    public void MoveToRam_OfAPageThatCannot_IsEbusyAndLeavesIt()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 1);
        rig.Map(1, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        rig.Write(0, 5);
        Assert.That(rig.Read(1), Is.EqualTo(7));
        (Pte own, Pte shared) = (rig.Entry(0), rig.Entry(1));
        Assert.That(MoveToRam(shared.Frame), Is.EqualTo(Errno.EBUSY), "a file's page");
        Assert.That(rig.Frames.TryGet(own.Frame, out PageRef stray), Is.EqualTo(Errno.Ok));
        Assert.That(MoveToRam(own.Frame), Is.EqualTo(Errno.EBUSY), "somebody holds it");
        stray.Dispose();
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(MoveToRam(own.Frame), Is.EqualTo(Errno.EBUSY), "no memory");
        Assert.That((rig.Entry(0).Frame, rig.Entry(0).IsWritable, rig.Entry(1).Frame), Is.EqualTo((own.Frame, true, shared.Frame)));
        Assert.That(MoveToRam(own.Frame), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Split_OfALeafsFolio_KeepsWhatIsWrittenAndMapsZerosElsewhere([Values] bool isShared)
    {
        Pfn head = LayLeaf();
        AddressSpace? child = isShared ? rig.Fork() : null;
        Assert.That(Split(head), Is.EqualTo(Errno.Ok));
        Assert.That((rig.SizeAt(0), rig.Entry(0).IsZeroPage, rig.Entry(511).IsZeroPage), Is.EqualTo((PageSize.Small, true, true)));
        Assert.That((rig.Entry(3).Frame, rig.Frames.IsLarge(rig.Entry(3).Frame)), Is.EqualTo((new Pfn(head.Value + 3), false)));
        Assert.That((rig.Resident(), rig.Read(3), rig.Read(7)), Is.EqualTo((1UL, (byte)5, (byte)0)));
        rig.Validate();
        if (child is not null)
        {
            rig.Write(3, 6, child);
            Assert.That((rig.Read(3), rig.Resident(of: child)), Is.EqualTo(((byte)5, 1UL)));
        }

        rig.Write(3, 7);
        rig.Write(0, 8);
        Assert.That((rig.Read(3), rig.Read(0), rig.Resident()), Is.EqualTo(((byte)7, (byte)8, 2UL)));
        Assert.That(MoveToRam(rig.Entry(3).Frame), Is.EqualTo(Errno.Ok), "the parts move one by one");
    }

    [Test]
    public void Split_OfAFolioThatSomebodyHolds_IsEagainAndLeavesTheLeaf([Values] bool isPinned)
    {
        Pfn head = LayLeaf();
        Pte before = rig.Entry(0);
        PagePin pin = isPinned ? rig.Pin(9, PinFlags.Write) : default;
        PageRef stray = default;
        Assert.That(isPinned || rig.Frames.TryGet(head, out stray).IsOk, Is.True);
        Assert.That(Split(head), Is.EqualTo(Errno.EAGAIN));
        Assert.That((rig.SizeAt(0), rig.Entry(0), rig.Resident()), Is.EqualTo((PageSize.Large, before, 512UL)));
        rig.Validate();
        pin.Dispose();
        stray.Dispose();
        Assert.That(Split(head), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Split_OfAFolioMappedInParts_FreesThePartsThatNobodyMaps()
    {
        Pfn head = LayLeaf();
        rig.Write(2, 4);
        ulong free = rig.Free;
        Assert.That(rig.Space.TryDropPages(At(3), Pages(509)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Free, Is.EqualTo(free), "a folio goes as a whole");
        Assert.That(Split(head), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Free, Is.EqualTo(free + 511), "all but the one that is written");
        Assert.That((rig.Resident(), rig.Read(2)), Is.EqualTo((1UL, (byte)4)));
    }

    [Test]
    public void MoveToRam_OfAFoliosPart_IsEbusy()
    {
        Pfn head = LayLeaf();
        Assert.That(MoveToRam(head), Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.SizeAt(0), Is.EqualTo(PageSize.Large));
    }

    private Pfn LayLeaf()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        rig.Write(3, 5);
        Assert.That(rig.SizeAt(0), Is.EqualTo(PageSize.Large));
        return rig.Entry(0).Frame;
    }

    private Errno MoveToRam(Pfn page)
    {
        Assert.That(rig.Frames.TryGet(page, out PageRef held), Is.EqualTo(Errno.Ok));
        Errno errno = Migration.TryMoveToRam(page, AllocationRequest.User);
        held.Dispose();
        return errno;
    }

    // The head is held by its frame, since a lease would be the folio's.
    private Errno Split(Pfn head)
    {
        rig.Frames.GetFrame(head);
        rig.Spaces.PageLocks.Lock(head);
        Errno errno = Migration.TrySplit(head);
        rig.Spaces.PageLocks.Unlock(head);
        rig.Frames.PutFrame(head);
        return errno;
    }
}
