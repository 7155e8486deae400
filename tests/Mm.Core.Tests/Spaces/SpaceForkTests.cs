using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>What a fork does with entries that are not simply shared.</summary>
internal sealed class SpaceForkTests
{
    private SpaceRig rig = null!;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void Fork_WithAPinnedPage_LeavesItToTheParentAndCopiesForTheChild([Values] bool isFast)
    {
        // C3
        rig.Map(0, 2);
        rig.Write(0, 1);
        rig.Write(1, 2);
        Pfn before = rig.Entry(0).Frame;
        PagePin pin = rig.Pin(0, PinFlags.Write | (isFast ? PinFlags.Fast : PinFlags.None));
        AddressSpace child = rig.Fork();
        Assert.That(rig.Entry(0).Frame, Is.EqualTo(before));
        Assert.That((rig.Entry(0).IsWritable, rig.Entry(0).IsAnonExclusive), Is.EqualTo((true, true)));
        Assert.That(rig.Entry(0, child).Frame, Is.Not.EqualTo(before));
        Assert.That((rig.Entry(0, child).IsWritable, rig.Entry(0, child).IsAnonExclusive), Is.EqualTo((true, true)));
        Assert.That(rig.Entry(1, child).Frame, Is.EqualTo(rig.Entry(1).Frame), "the other page is shared as ever");
        rig.Validate();
        rig.Write(0, 5);
        Assert.That((rig.Peek(pin.Page), rig.Read(0, child)), Is.EqualTo(((byte)5, (byte)1)));
        pin.Dispose();
    }

    [Test]
    public void Fork_WithAnUnpinnedPage_SharesIt()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        rig.Pin(0, PinFlags.Write).Dispose();
        AddressSpace child = rig.Fork();
        Assert.That(rig.Entry(0, child).Frame, Is.EqualTo(rig.Entry(0).Frame));
    }

    [Test]
    public void Fork_WithAPinnedPageOfAReadOnlyArea_GivesAReadOnlyCopy()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        PagePin pin = rig.Pin(0, PinFlags.Write);
        Assert.That(rig.Space.TryProtect(At(0), Pages(1), AreaAccess.Read), Is.EqualTo(Errno.Ok));
        AddressSpace child = rig.Fork();
        Assert.That(rig.Entry(0, child).Frame, Is.Not.EqualTo(rig.Entry(0).Frame));
        Assert.That((rig.Entry(0, child).IsWritable, rig.Read(0, child)), Is.EqualTo((false, (byte)1)));
        pin.Dispose();
    }

    [Test]
    public void Fork_OfAPagePrivateToADevice_TakesTheRightToWriteFromBoth()
    {
        // C4
        Pagemap map = rig.MapDevice(PagemapKind.DevicePrivate, new Driver());
        rig.Map(0, 1);
        Pfn page = PutOnDevice(map, 0);
        AddressSpace child = rig.Fork();
        foreach (AddressSpace space in new[] { rig.Space, child })
        {
            Pte entry = rig.Entry(0, space);
            Assert.That((entry.IsDevicePrivate, entry.IsWritableDevicePrivate, entry.Frame), Is.EqualTo((true, false, page)));
        }

        Assert.That((rig.Frames.ReferencesOf(page), rig.Frames.Describe(page).MapCount), Is.EqualTo((2U, 2U)));
        Assert.That((rig.Resident(), rig.Resident(of: child)), Is.EqualTo((1UL, 1UL)));
        Assert.That(child.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.BusError), "this driver gives nothing back");
        rig.Validate();
        child.Dispose();
        Assert.That(rig.Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        map.Unmap();
    }

    [Test]
    public void Fork_OfALeaf_SharesItReadOnly()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        rig.Write(3, 7);
        Assert.That(rig.SizeAt(0), Is.EqualTo(PageSize.Large));
        Pfn head = rig.Entry(0).Frame;
        AddressSpace child = rig.Fork();
        Assert.That((rig.SizeAt(0), rig.SizeAt(0, child)), Is.EqualTo((PageSize.Large, PageSize.Large)));
        Assert.That((rig.Entry(0).IsWritable, rig.Entry(0, child).IsWritable), Is.EqualTo((false, false)));
        Assert.That((rig.Frames.EntireMapCountOf(head), rig.Frames.ReferencesOf(head)), Is.EqualTo((2UL, 2U)));
        Assert.That((rig.Resident(), rig.Resident(of: child)), Is.EqualTo((512UL, 512UL)));
        rig.Validate();
        Assert.That(rig.Read(3, child), Is.EqualTo(7));
    }

    [Test]
    public void Fork_OfAPinnedLeaf_BreaksItUpAndCopiesTheRest()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        rig.Write(3, 7);
        PagePin pin = rig.Pin(3, PinFlags.Write);
        Pfn head = rig.Entry(0).Frame;
        AddressSpace child = rig.Fork();
        Assert.That((rig.SizeAt(0), rig.Entry(0).Frame), Is.EqualTo((PageSize.Small, head)));
        Assert.That(rig.Entry(3, child).Frame, Is.Not.EqualTo(rig.Entry(3).Frame));
        rig.Validate();
        rig.Write(3, 8);
        Assert.That((rig.Peek(pin.Page), rig.Read(3, child)), Is.EqualTo(((byte)8, (byte)7)));
        pin.Dispose();
    }

    [Test]
    public void Fork_OfALeafOfZeros_SharesIt()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        Assert.That(rig.Read(5), Is.Zero);
        AddressSpace child = rig.Fork();
        Assert.That((rig.SizeAt(0, child), rig.Entry(5, child).IsZeroPage, rig.Resident(of: child)), Is.EqualTo((PageSize.Large, true, 0UL)));
        rig.Write(5, 1, child);
        Assert.That(rig.Read(5), Is.Zero);
    }

    [Test]
    public void Fork_WhereATableIsEmpty_GivesTheChildOneToo_SoNoLeafComesIn()
    {
        rig.Map(0, 1024, Own);
        rig.Write(3, 7);
        Assert.That(rig.Space.TryDropPages(At(3), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Space.TryWantHugePages(At(0), Pages(1024), wanted: true), Is.EqualTo(Errno.Ok));
        AddressSpace child = rig.Fork();
        Assert.That(child.Tables.HasSmallTable(At(0)), Is.True);
        Assert.That(child.Tables.HasSmallTable(At(512)), Is.False, "the parent has none there");
        rig.Write(3, 1, child);
        rig.Write(515, 2, child);
        Assert.That((rig.SizeAt(3, child), rig.SizeAt(515, child)), Is.EqualTo((PageSize.Small, PageSize.Large)));
    }

    [Test]
    public void Fork_WithoutMemoryForAnEmptyTable_IsEnomem()
    {
        rig.Map(0, 1, Own);
        rig.Write(0, 7);
        Assert.That(rig.Space.TryDropPages(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.Space.TryFork(out AddressSpace? child), Is.EqualTo(Errno.ENOMEM));
        Assert.That(child, Is.Null);
        rig.Machine.Faults.Clear();
    }

    [Test]
    public void Fork_OfASharedWritableMapping_WorksAfterASealOfFutureWrites()
    {
        MemoryFile file = rig.CreateFile(1, fill: 1, allowsSealing: true);
        rig.Map(0, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        Assert.That(file.TryAddSeals(FileSeals.FutureWrite), Is.EqualTo(Errno.Ok));
        AddressSpace child = rig.Fork();
        rig.Write(0, 2, child);
        Assert.That(rig.Read(0), Is.EqualTo(2), "who may write already stays able to, and so do its children");
    }

    // As a driver's migration leaves it: the page handed out, its entry device-private and writable.
    private Pfn PutOnDevice(Pagemap map, ulong at)
    {
        Pfn page = map.Ranges[0].Start;
        Assert.That(map.TryHandOut(page, out _, out PageLock pageLock), Is.EqualTo(Errno.Ok)); // the entry's reference
        pageLock.Dispose();
        Area area = rig.Space.FindArea(At(at))!;
        rig.Space.PrepareRoot(area);
        rig.Space.AddNewAnonymous(area, At(at), page, pages: 1);
        Pte entry = Pte.DevicePrivate(page, isWritable: true);
        Assert.That(rig.Space.Tables.TryExchange(At(at), default, entry, out _), Is.EqualTo(Errno.Ok));
        return page;
    }
}
