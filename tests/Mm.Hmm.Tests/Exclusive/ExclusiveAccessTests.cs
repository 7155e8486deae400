using Mm.Core;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Hmm.Exclusive;
using Mm.Hmm.Tests.Faulting;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Exclusive;

public sealed class ExclusiveAccessTests
{
    [Test]
    public void CpuWrite_ToAnExclusivePage_FindsItPresentAfterEveryMirrorWasTold()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(1);
        Make(rig, range, owner: null)[0].Dispose();
        Assert.That(EntryAt(rig, range).IsDeviceExclusive, Is.True);
        rig.Heard.Clear();

        rig.Base.Write(range, Words(1, first: 5));
        Assert.That(EntryAt(rig, range).IsWritable, Is.True);
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1, first: 5)));
        Assert.That(
            rig.Heard.Select(notice => (notice.Event, notice.Range, notice.Owner)),
            Is.EqualTo(new[] { (NotifierEvent.Exclusive, range, (object?)null) }));
    }

    [Test]
    public void TryMake_WithAnOwner_SaysItInTheNotice()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(2);
        object owner = new();
        foreach (ExclusivePage page in Make(rig, range, owner))
        {
            page.Dispose();
        }

        NotifierRange[] exclusive = [.. rig.Heard.Where(notice => notice.Event == NotifierEvent.Exclusive)];
        Assert.That(exclusive.Select(notice => notice.Owner), Is.EqualTo(new[] { owner, owner }));
        Assert.That(exclusive.Select(notice => notice.Range), Is.EqualTo(new[] { Part(range, 0), Part(range, 1) }));
    }

    [Test]
    public void Fork_OfAnExclusivePage_TakesItBackAndSharesIt()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(1);
        Make(rig, range, owner: null)[0].Dispose();
        using AddressSpace child = rig.Base.Fork();
        Assert.That(EntryAt(rig, range).IsPresent, Is.True);
        rig.Base.Write(range, Words(1, first: 2));
        Assert.That(Read(child, range), Is.EqualTo(Words(1)));
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(1, first: 2)));
        rig.Base.Machine.Validate();
    }

    [Test]
    public void TryMake_OfHoles_FaultsThemInToBeWritten()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.Map(2);
        ExclusivePage[] pages = Make(rig, range, owner: null);
        Assert.That(pages.Select(page => page.IsEmpty), Is.All.False);
        Assert.That(pages.Select(page => rig.Space.PageLocks.IsLocked(page.Page)), Is.All.True, "exclusive until the caller lets go");
        Dispose(pages);
        Assert.That(rig.Base.Read(range), Is.All.Zero);
    }

    [Test]
    public void TryMake_OfALockedPage_LeavesItsSlotEmpty()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(2);
        Pfn locked = rig.Base.FrameAt(range.Start);
        Assert.That(rig.Space.PageLocks.TryLock(locked), Is.True);
        ExclusivePage[] pages = Make(rig, range, owner: null);
        Assert.That(pages.Select(page => page.IsEmpty), Is.EqualTo(new[] { true, false }));
        Dispose(pages);
        rig.Space.PageLocks.Unlock(locked);
        Assert.That(EntryAt(rig, range).IsPresent, Is.True);
    }

    [Test]
    public void TryMake_OfAFilesPage_LeavesItsSlotEmpty()
    {
        using var rig = new RangeFaultRig();
        using MemoryFile file = rig.Base.MakeFile(1);
        VirtRange range = rig.Base.Map(1, AreaAccess.ReadWrite, AreaKind.FileShared, file);
        ExclusivePage[] pages = Make(rig, range, owner: null);
        Assert.That(pages[0].IsEmpty, Is.True);
        Assert.That(EntryAt(rig, range).IsPresent, Is.True);
    }

    [Test]
    public void TryMake_InsideALargePage_BreaksItsLeafAndTakesTheHeadAlone()
    {
        using var rig = new RangeFaultRig();
        VirtRange leaf = rig.Base.MapHuge();
        rig.Base.Write(leaf, Words(512));
        ExclusivePage[] pages = Make(rig, Part(leaf, 0, 2), owner: null);
        Assert.That(pages[1].IsEmpty, Is.True, "a tail is no page of its own");
        Dispose(pages);
        AssertSame(rig.Base.Read(leaf), Words(512));
    }

    [Test]
    public void TryMake_WhereNothingMayBeWritten_IsEfault()
    {
        using var rig = new RangeFaultRig();
        var pages = new ExclusivePage[1];
        VirtRange readOnly = rig.Base.Map(1, AreaAccess.Read);
        Assert.That(ExclusiveAccess.TryMake(rig.Space, readOnly.Start, pages, out int count), Is.EqualTo(Errno.EFAULT));
        Assert.That(count, Is.Zero);
        Assert.That(ExclusiveAccess.TryMake(rig.Space, new VirtAddr(0x1000), pages, out count), Is.EqualTo(Errno.EFAULT));
        Assert.That(count, Is.Zero);
        Assert.That(() => ExclusiveAccess.TryMake(null!, readOnly.Start, pages, out _), Throws.ArgumentNullException);
    }

    [Test]
    public void TryMake_UpToWhatMayNotBeWritten_TellsHowManyWereLookedUp()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(3);
        rig.Space.TryProtect(Part(range, 2).Start, Part(range, 2).Length, AreaAccess.Read).ThrowIfError();
        var pages = new ExclusivePage[3];
        Assert.That(ExclusiveAccess.TryMake(rig.Space, range.Start, pages, out int count), Is.EqualTo(Errno.Ok));
        Assert.That(count, Is.EqualTo(2));
        Dispose(pages[..count]);
        Assert.That(rig.Base.Read(range), Is.EqualTo(Words(3)));
    }

    [Test]
    public void Unmap_OfAnExclusivePage_FreesIt()
    {
        using var rig = new RangeFaultRig();
        VirtRange range = rig.Base.MapFilled(1);
        Make(rig, range, owner: null)[0].Dispose();
        rig.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        Assert.That(rig.Space.CountResident(RssKind.Anonymous), Is.EqualTo(PageCount.Zero));
    }

    private static Pte EntryAt(RangeFaultRig rig, VirtRange range) => rig.Space.Tables.Read(range.Start);

    private static ExclusivePage[] Make(RangeFaultRig rig, VirtRange range, object? owner)
    {
        var pages = new ExclusivePage[PagesOf(range)];
        Assert.That(ExclusiveAccess.TryMake(rig.Space, range.Start, pages, out int count, owner), Is.EqualTo(Errno.Ok));
        Assert.That(count, Is.EqualTo(pages.Length));
        return pages;
    }

    private static void Dispose(ExclusivePage[] pages)
    {
        foreach (ExclusivePage page in pages)
        {
            page.Dispose();
        }
    }
}
