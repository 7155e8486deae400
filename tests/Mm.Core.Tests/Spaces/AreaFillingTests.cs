using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>What an area's owner may put into it, and what becomes of pages that are counted there.</summary>
public sealed class AreaFillingTests
{
    private SpaceRig rig = null!;
    private PageOwner owner = null!;

    private AddressSpace Space => rig.Space;

    [SetUp]
    public void SetUp()
    {
        rig = new SpaceRig();
        owner = new PageOwner(rig.Machine);
    }

    [TearDown]
    public void TearDown()
    {
        owner.Dispose();
        rig.Dispose();
    }

    [Test]
    public void InsertPage_CountsReferenceMappingAndResidentPage()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        Pfn page = owner.Page(1);
        Assert.That((rig.Frames.ReferencesOf(page), rig.Frames.MapCountOf(page), rig.Resident(RssKind.File)), Is.EqualTo((2U, 1UL, 2UL)));
        rig.Write(1, 7);
        Assert.That(rig.Peek(page), Is.EqualTo(7));
        Assert.That(Space.TryUnmap(At(1), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Frames.ReferencesOf(page), rig.Frames.MapCountOf(page), rig.Resident(RssKind.File)), Is.EqualTo((1U, 0UL, 1UL)));
    }

    [Test] // C1
    public void InsertPage_WhatCannotBe_SaysWhy()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        Pfn own = rig.Entry(0).Frame;
        Errno outside = default, free = default, anonymous = default, bare = default, zeros = default, twice = default;
        Pfn unused = FreePage();
        owner = Refill(filling =>
        {
            VirtAddr at = filling.Area.Start;
            outside = filling.TryInsertPage(filling.Area.End, owner.Page(0));
            free = filling.TryInsertPage(at, unused);
            anonymous = filling.TryInsertPage(at, own);
            bare = filling.TryInsertPage(at, new Pfn(1UL << 30));
            zeros = filling.TryInsertPage(at, rig.Spaces.ZeroPage);
            filling.TryInsertPage(at, owner.Page(0)).ThrowIfError();
            twice = filling.TryInsertPage(at, owner.Page(1));
        });
        Assert.That(
            (outside, free, anonymous, bare, zeros, twice),
            Is.EqualTo((Errno.EFAULT, Errno.EINVAL, Errno.EINVAL, Errno.EINVAL, Errno.EINVAL, Errno.EBUSY)));
        Assert.That((rig.Frames.ReferencesOf(owner.Page(1)), rig.Frames.MapCountOf(owner.Page(1))), Is.EqualTo((1U, 0UL)), "refused, nothing is counted");
    }

    [Test]
    public void InsertPage_OfZeros_IsAllowedWhereNobodyCanWriteThem()
    {
        AreaFiller fill = filling => filling.TryInsertPage(filling.Area.Start, rig.Spaces.ZeroPage).ThrowIfError();
        _ = Refill(fill, owner.Backing.Kind, isPrivate: true);
        Assert.That((rig.Read(8), rig.Resident(RssKind.File)), Is.EqualTo(((byte)0, 0UL)));
        rig.Write(8, 3);
        Assert.That((rig.Read(8), rig.Resident()), Is.EqualTo(((byte)3, 1UL)), "a copy of the process's own");
    }

    [Test]
    public void InsertPage_EachInTurnFails_LeavesNothingCounted([Range(1, 6)] int nth)
    {
        rig.Machine.Faults.FailNth(nth > 4 ? FaultPoint.PageAlloc : AreaBacking.InsertFault, (ulong)(nth > 4 ? nth - 4 : nth));
        var request = new AreaRequest(Pages(4), owner.Backing.Describe(AreaAccess.Read)) { At = At(0), Placement = AreaPlacement.Fixed };
        Assert.That(Space.TryMap(request, out _), Is.EqualTo(Errno.ENOMEM));
        rig.Machine.Faults.Clear();
        Assert.That((Space.Areas.Count, owner.Backing.SpaceCount, rig.Resident(RssKind.File)), Is.EqualTo((0, 0, 0UL)));
        Assert.That(Enumerable.Range(0, 4).Select(page => rig.Frames.ReferencesOf(owner.Page(page))), Is.All.EqualTo(1U));
        Assert.That(Space.TryMap(request, out _), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Fault_EachInsertionFails_IsOutOfMemoryAndComesAgain()
    {
        using var lazy = new PageOwner(rig.Machine, fillsAtOnce: false);
        rig.Map(0, 4, lazy.Backing.Describe(AreaAccess.ReadWrite));
        rig.Machine.Faults.FailNth(AreaBacking.InsertFault, 1);
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.OutOfMemory));
        rig.Write(0, 4);
        Assert.That(rig.Peek(lazy.Page(0)), Is.EqualTo(4));
    }

    [Test]
    public void Fork_OfCountedPages_CountsThemForTheChild()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        AddressSpace child = rig.Fork();
        Assert.That((rig.Frames.MapCountOf(owner.Page(0)), rig.Resident(RssKind.File, child)), Is.EqualTo((2UL, 2UL)));
        rig.Write(0, 9, child);
        Assert.That(rig.Read(0), Is.EqualTo(9), "shared memory");
    }

    [Test]
    public void PrivateArea_Written_HasACopyAndTheOwnerKeepsItsPage()
    {
        rig.Poke(owner.Page(0), 5);
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.ReadWrite, isPrivate: true));
        rig.Write(0, 6);
        Assert.That((rig.Read(0), rig.Peek(owner.Page(0)), rig.Resident(RssKind.File), rig.Resident()), Is.EqualTo(((byte)6, (byte)5, 0UL, 1UL)));
        owner.Backing.Unmap(PageCount.Zero, PageCount.One, keepsCopies: true);
        Assert.That(rig.Read(0), Is.EqualTo(6), "a copy is the process's");
        owner.Backing.Unmap();
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.Done), "the owner's handler brings its own page");
        Assert.That(rig.Read(0), Is.EqualTo(5));
    }

    [Test]
    public void PrivateArea_OfBareFrames_IsCopiedWhenWritten()
    {
        var frames = new FrameOwner(rig.Machine, AreaKind.PfnMapped);
        frames.FillsAtOnce();
        frames.Poke(0, 5);
        rig.Map(0, FrameOwner.Pages, frames.Backing.Describe(AreaAccess.ReadWrite, isPrivate: true));
        rig.Write(0, 6);
        Assert.That((rig.Read(0), frames.Peek(0), rig.Resident()), Is.EqualTo(((byte)6, (byte)5, 1UL)));
        AddressSpace child = rig.Fork();
        rig.Write(0, 7, child);
        Assert.That((rig.Read(0), rig.Read(0, child)), Is.EqualTo(((byte)6, (byte)7)));
        Assert.That(rig.Machine.TryRemoveRegion(frames.Region), Is.EqualTo(Errno.Ok));
        rig.Write(1, 1);
        var bytes = new byte[2];
        Assert.That((Space.Read(At(1), bytes), bytes[0], bytes[1]), Is.EqualTo((FaultResult.Done, (byte)1, (byte)0xff)), "a copy of what is gone is ones");
    }

    [Test]
    public void Remap_OfPartOfAPrivateArea_IsEINVAL()
    {
        var frames = new FrameOwner(rig.Machine, AreaKind.PfnMapped);
        frames.Fill = filling => filling.TryRemap(filling.Area.Start, new PfnRange(frames.Frame(0), PageCount.One));
        AreaTraits traits = frames.Backing.Describe(AreaAccess.ReadWrite, isPrivate: true);
        Assert.That(Space.TryMap(new AreaRequest(Pages(2), traits), out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryMap(new AreaRequest(Pages(2), traits with { Forbidden = AreaAccess.Write, Access = AreaAccess.Read }), out _), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Remap_WithoutMemoryForATable_MapsNone([Range(1, 4)] int nth)
    {
        var frames = new FrameOwner(rig.Machine, AreaKind.PfnMapped);
        frames.FillsAtOnce();
        rig.Machine.Faults.FailNth(AreaBacking.InsertFault, (ulong)nth);
        Assert.That(Space.TryMap(new AreaRequest(Pages(4), frames.Backing.Describe(AreaAccess.Read)), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(Space.Areas, Is.Empty);
    }

    [Test]
    public void Insert_WhatAnAreaNeverShows_Throws()
    {
        var frames = new FrameOwner(rig.Machine, AreaKind.PfnMapped);
        frames.Fill = filling =>
        {
            Assert.That(IsRefused(filling, filling => filling.TryInsertPage(filling.Area.Start, owner.Page(0)).ThrowIfError()), Is.True);
            Assert.That(IsRefused(filling, filling => _ = filling.InsertMixed(filling.Area.Start, owner.Page(0))), Is.True);
            return Errno.Ok;
        };
        rig.Map(0, 1, frames.Backing.Describe(AreaAccess.ReadWrite));
        _ = Refill(filling =>
        {
            Assert.That(IsRefused(filling, filling => _ = filling.InsertFrame(filling.Area.Start, owner.Page(0))), Is.True);
            Assert.That(IsRefused(filling, filling => filling.TryRemap(filling.Area.Start, new PfnRange(owner.Page(0), PageCount.One)).ThrowIfError()), Is.True);
        });
    }

    [Test]
    public void InsertMixed_CountsNothingAndIsPinnedByNobody()
    {
        _ = Refill(filling => Assert.That(filling.InsertMixed(filling.Area.Start, owner.Page(0)), Is.EqualTo(FaultResult.Done)));
        rig.Write(8, 4);
        Assert.That((rig.Peek(owner.Page(0)), rig.Frames.ReferencesOf(owner.Page(0)), rig.Resident(RssKind.File)), Is.EqualTo(((byte)4, 1U, 0UL)));
        Assert.That(rig.PinErrno(8, PinFlags.Write), Is.EqualTo(Errno.EEXIST), "an entry, and no page behind it");
        Assert.That(rig.PinErrno(8, PinFlags.Fast), Is.EqualTo(Errno.EEXIST));
    }

    [Test]
    public void InsertMixed_AndFrame_OutsideOrTwice_ChangeNothing()
    {
        var frames = new FrameOwner(rig.Machine, AreaKind.Mixed);
        frames.Fill = filling =>
        {
            Assert.That(filling.InsertMixed(filling.Area.End, frames.Frame(0)), Is.EqualTo(FaultResult.BusError));
            Assert.That(filling.InsertFrame(filling.Area.End, frames.Frame(0)), Is.EqualTo(FaultResult.BusError));
            Assert.That(filling.InsertMixed(filling.Area.Start, rig.Spaces.ZeroPage), Is.EqualTo(FaultResult.BusError));
            Assert.That(filling.InsertFrame(filling.Area.Start, frames.Frame(0)), Is.EqualTo(FaultResult.Done));
            Assert.That(filling.InsertFrame(filling.Area.Start, frames.Frame(1)), Is.EqualTo(FaultResult.Done), "somebody was faster");
            return Errno.Ok;
        };
        rig.Map(0, 1, frames.Backing.Describe(AreaAccess.ReadWrite));
        frames.Poke(0, 2);
        Assert.That(rig.Read(0), Is.EqualTo(2));
    }

    [Test]
    public void Pin_OfACountedPage_KeepsItWhenTheAreaGoes([Values(PinFlags.Write, PinFlags.Write | PinFlags.Fast, PinFlags.Write | PinFlags.LongTerm)] PinFlags flags)
    {
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.ReadWrite));
        using PagePin pin = rig.Pin(0, flags);
        Assert.That(Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That((pin.Page, rig.Frames.MaybePinned(owner.Page(0))), Is.EqualTo((owner.Page(0), true)));
    }

    [Test] // D1, D2
    public void Pin_OfPeerMemory_WantsLeave()
    {
        Pagemap map = rig.MapDevice(PagemapKind.PciP2pDma, new SpaceRig.Driver());
        Pfn page = map.Ranges[0].Start;
        var peer = new AreaBacking(AreaKind.PeerMemory, new Once(page));
        rig.Map(0, 1, peer.Describe(AreaAccess.ReadWrite));
        rig.Write(0, 8);
        Assert.That(rig.PinErrno(0, PinFlags.Write), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That(rig.PinErrno(0, PinFlags.Fast), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That(rig.PinErrno(0, PinFlags.LongTerm), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That(rig.PinErrno(0, PinFlags.LongTerm | PinFlags.PeerMemory), Is.EqualTo(Errno.EINVAL));
        using (PagePin pin = rig.Pin(0, PinFlags.Write | PinFlags.PeerMemory))
        {
            Assert.That((pin.Page, rig.Peek(page)), Is.EqualTo((page, (byte)8)));
        }

        Assert.That(Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        map.Unmap();
    }

    [Test]
    public void Grow_OfCountedPages_OnlyByMoving()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        rig.Write(1, 3);
        var grow = new AreaMove(At(0), Pages(2), Pages(6));
        Assert.That(Space.TryMove(grow, out _), Is.EqualTo(Errno.ENOMEM), "a special area merges with nothing, not even its own growth");
        rig.Map(2, 1);
        Assert.That(Space.TryMove(grow with { MayMove = true }, out VirtRange moved), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Read(moved.Start.AddChecked(Pages(1))), Is.EqualTo(3));
        Assert.That(rig.Read(moved.Start.AddChecked(Pages(3))), Is.Zero, "within the backing: a fault brings it");
        Assert.That(Space.Read(moved.Start.AddChecked(Pages(4)), new byte[1]), Is.EqualTo(FaultResult.BusError), "behind its end");
    }

    [Test]
    public void DropPages_OfCountedPages_FaultsAnew()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        rig.Write(0, 3);
        Assert.That(Space.TryDropPages(At(0), Pages(2)), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Resident(RssKind.File), rig.Frames.ReferencesOf(owner.Page(0))), Is.EqualTo((0UL, 1U)));
        Assert.That((rig.Read(0), rig.Resident(RssKind.File)), Is.EqualTo(((byte)3, 1UL)));
    }

    private delegate void AreaFiller(AreaFilling filling);

    // Maps one page at page 8 of another backing, filled as the test says.
    private PageOwner Refill(AreaFiller fill, AreaKind kind = AreaKind.Mixed, bool isPrivate = false)
    {
        var other = new AreaBacking(kind, new Filled(fill));
        rig.Map(8, 1, other.Describe(AreaAccess.ReadWrite, isPrivate));
        return owner;
    }

    // What Linux answers with BUG.
    private static bool IsRefused(AreaFilling filling, AreaFiller insert)
    {
        try
        {
            insert(filling);
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    private Pfn FreePage()
    {
        Assert.That(rig.Machine.Allocator.TryAllocate(AllocationRequest.Kernel, out PageRef page), Is.EqualTo(Errno.Ok));
        Pfn free = page.Page;
        page.Dispose();
        return free;
    }

    private sealed class Filled(AreaFiller fill) : IAreaOperations
    {
        public Errno TryMap(AreaFilling filling)
        {
            fill(filling);
            return Errno.Ok;
        }
    }

    private sealed class Once(Pfn page) : IAreaOperations
    {
        public Errno TryMap(AreaFilling filling) => filling.TryInsertPage(filling.Area.Start, page);
    }
}
