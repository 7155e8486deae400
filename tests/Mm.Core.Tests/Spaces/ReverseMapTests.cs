using Mm.Core.Frames;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>From a page to its entries and back.</summary>
internal sealed class ReverseMapTests
{
    private SpaceRig rig = null!;

    private ReverseMap Map => rig.Spaces.ReverseMap;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void UnmapAndRestore_OfAnOwnPage_GiveBackWhatItWas()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        Pte before = rig.Entry(0);
        rig.Mirror.Seen.Clear();
        WithLocked(before.Frame, page =>
        {
            Assert.That(Map.TryUnmap(page), Is.True);
            Assert.That((rig.Entry(0).IsMigration, rig.Entry(0).IsWritableMigration), Is.EqualTo((true, true)));
            Assert.That((rig.Frames.MapCountOf(page), rig.Frames.ReferencesOf(page)), Is.EqualTo((0UL, 1U)), "the mover's alone");
            Assert.That(rig.Resident(), Is.EqualTo(1), "it is resident all the while");
            rig.Validate();
            Map.Restore(page, page);
        });
        Assert.That((rig.Entry(0).Frame, rig.Entry(0).IsWritable, rig.Entry(0).IsAnonExclusive), Is.EqualTo((before.Frame, true, true)));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Clear, Range(0, 1)) }));
        Assert.That(rig.Read(0), Is.EqualTo(5));
    }

    [Test]
    public void Unmap_OfAPageOfAFamily_FindsEveryEntryWhereverItMoved()
    {
        rig.Map(0, 2);
        rig.Write(1, 5);
        AddressSpace child = rig.Fork();
        var move = new AreaMove(At(0), Pages(2), Pages(2)) { MayMove = true, To = At(64) };
        Assert.That(child.TryMove(move, out _), Is.EqualTo(Errno.Ok));
        WithLocked(rig.Entry(1).Frame, page =>
        {
            Assert.That(Map.TryUnmap(page), Is.True);
            Assert.That((rig.Entry(1).IsReadableMigration, rig.Entry(65, child).IsReadableMigration), Is.EqualTo((true, true)));
            Map.Restore(page, page);
        });
        Assert.That((rig.Read(1), rig.Read(65, child)), Is.EqualTo(((byte)5, (byte)5)));
        rig.Write(65, 6, child);
        Assert.That(rig.Read(1), Is.EqualTo(5));
    }

    [Test]
    public void Unmap_OfAPinnedPage_LeavesItMapped()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        PagePin pin = rig.Pin(0, PinFlags.Write);
        Pte before = rig.Entry(0);
        WithLocked(pin.Page, page => Assert.That(Map.TryUnmap(page), Is.False));
        Assert.That(rig.Entry(0), Is.EqualTo(before));
        pin.Dispose();
    }

    [Test]
    public void UnmapAndRestore_OfAFilesPage_CoverAllWhoMapIt()
    {
        MemoryFile file = rig.CreateFile(2, fill: 7);
        var shared = new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };
        rig.Map(0, 2, shared);
        rig.Map(8, 1, shared, offset: 1);
        AddressSpace other = rig.Fork();
        byte[] read = [rig.Read(1), rig.Read(8), rig.Read(1, other)];
        Assert.That(read, Is.All.EqualTo(7));
        WithLocked(rig.Entry(1).Frame, page =>
        {
            Assert.That(rig.Frames.MapCountOf(page), Is.EqualTo(3));
            Assert.That(Map.TryUnmap(page), Is.True);
            Assert.That(new[] { rig.Entry(1), rig.Entry(8), rig.Entry(1, other) }, Is.All.Matches<Pte>(static entry => entry.IsMigration));
            rig.Validate();
            Map.Restore(page, page);
            Assert.That(rig.Frames.MapCountOf(page), Is.EqualTo(3));
        });
        rig.Write(8, 9);
        Assert.That((rig.Read(1), rig.Read(1, other)), Is.EqualTo(((byte)9, (byte)9)));
    }

    // Linux: i_mmap's tree. A fork puts the child's area right behind its parent's; one that is split or moved comes last.
    [TestCase(false, false, ExpectedResult = "parent, second, first")]
    [TestCase(true, false, ExpectedResult = "second, first, parent")]
    [TestCase(false, true, ExpectedResult = "second, first, parent")]
    public string Unmap_OfAFilesPage_AsksAreasInTheOrderOfTheFile(bool isSplit, bool isMoved)
    {
        var family = new FileFamily(rig);
        if (isSplit)
        {
            Assert.That(rig.Space.TryProtect(At(1), Pages(1), AreaAccess.Read), Is.EqualTo(Errno.Ok));
        }

        var move = new AreaMove(At(0), Pages(2), Pages(2)) { MayMove = true, To = At(64) };
        Assert.That(isMoved ? rig.Space.TryMove(move, out _) : Errno.Ok, Is.EqualTo(Errno.Ok));
        Pfn page = family.ReadByAll(isMoved ? 64u : 0);
        return family.AskedBy(() => WithLocked(page, UnmapAndRestore));
    }

    [Test]
    public void Unmap_OfAFilesPage_StopsWhereNoEntryIsLeft()
    {
        var family = new FileFamily(rig);
        Assert.That(rig.Read(0, family.Second), Is.EqualTo(7));
        Pfn page = rig.Entry(0, family.Second).Frame;
        Assert.That(family.AskedBy(() => WithLocked(page, UnmapAndRestore)), Is.EqualTo("parent, second"));
    }

    [Test]
    public void Restore_AfterTheAreaWasProtected_GivesWhatTheAreaAllows()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        WithLocked(rig.Entry(0).Frame, page =>
        {
            Assert.That(Map.TryUnmap(page), Is.True);
            Assert.That(rig.Space.TryProtect(At(0), Pages(1), AreaAccess.Read), Is.EqualTo(Errno.Ok));
            Map.Restore(page, page);
        });
        Assert.That((rig.Entry(0).IsWritable, rig.Read(0)), Is.EqualTo((false, (byte)5)));
    }

    [Test]
    public void Restore_AfterTheAreaHasGone_RestoresNothing()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        WithLocked(rig.Entry(0).Frame, page =>
        {
            Assert.That(Map.TryUnmap(page), Is.True);
            Assert.That(rig.Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
            Map.Restore(page, page);
            Assert.That((rig.Frames.MapCountOf(page), rig.Frames.ReferencesOf(page)), Is.EqualTo((0UL, 1U)));
        });
        Assert.That((rig.Entry(0).IsNone, rig.Resident()), Is.EqualTo((true, 0UL)));
    }

    [Test]
    public void Restore_OfAPageOfZeros_MapsThePageOfZerosIfAsked([Values] bool mapsZero)
    {
        rig.Map(0, 1);
        rig.Write(0, 0);
        WithLocked(rig.Entry(0).Frame, page =>
        {
            Assert.That(Map.TryUnmap(page), Is.True);
            Map.Restore(page, page, mapsZero);
        });
        Assert.That((rig.Entry(0).IsZeroPage, rig.Resident()), Is.EqualTo((mapsZero, mapsZero ? 0UL : 1UL)));
        rig.Write(0, 1);
        Assert.That(rig.Peek(rig.Spaces.ZeroPage), Is.Zero);
    }

    [Test]
    public void MakeExclusive_OfAnOwnPage_TakesItFromTheCpuUntilItTouches()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        Pfn frame = rig.Entry(0).Frame;
        rig.Mirror.Seen.Clear();
        WithLocked(frame, page => Assert.That(Map.TryMakeExclusive(page, rig.Space, At(0), this), Is.True));
        Assert.That((rig.Entry(0).IsDeviceExclusive, rig.Frames.MapCountOf(frame), rig.Frames.ReferencesOf(frame)), Is.EqualTo((true, 0UL, 1U)));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Exclusive, Range(0, 1)) }));
        rig.Validate();
        Assert.That(rig.Read(0), Is.EqualTo(5));
        Assert.That((rig.Entry(0).Frame, rig.Entry(0).IsWritable, rig.Mirror.Seen.Count), Is.EqualTo((frame, true, 2)));
    }

    [Test]
    public void MakeExclusive_OfASharedPage_IsRefusedAndTheCpuTakesItBack()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        AddressSpace child = rig.Fork();
        WithLocked(rig.Entry(0).Frame, page => Assert.That(Map.TryMakeExclusive(page, rig.Space, At(0), this), Is.False));
        rig.Validate();
        rig.Write(0, 6, child);
        Assert.That((rig.Read(0), rig.Read(0, child)), Is.EqualTo(((byte)5, (byte)6)));
    }

    [Test]
    public void MakeExclusive_OfAFolioThatIsSoInPart_EndsAtTheFirstSuchEntry()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        rig.Write(0, 5);
        Pfn head = rig.Entry(0).Frame;
        rig.Space.SplitLeaf(At(0));
        WithLocked(head, page => Assert.That(Map.TryMakeExclusive(page, rig.Space, At(0), this), Is.True));
        Assert.That(rig.Frames.MapCountOf(head), Is.Zero, "all of it");
        byte[] touched = [rig.Read(0), rig.Read(1), rig.Read(9)];
        Assert.That(touched, Is.EqualTo(new byte[] { 5, 0, 0 }));
        WithLocked(head, page => Assert.That(Map.TryMakeExclusive(page, rig.Space, At(0), this), Is.False));
        bool[] isExclusive = [.. new ulong[] { 0, 1, 2, 9, 10 }.Select(page => rig.Entry(page).IsDeviceExclusive)];
        Assert.That(isExclusive, Is.EqualTo(new[] { true, true, true, false, true }));
    }

    [Test]
    public void MakeExclusive_OfAFilesPage_IsRefused()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        Assert.That(rig.Read(0), Is.EqualTo(7));
        WithLocked(rig.Entry(0).Frame, page => Assert.That(Map.TryMakeExclusive(page, rig.Space, At(0), this), Is.False));
        Assert.That(rig.Entry(0).IsPresent, Is.True);
    }

    private void UnmapAndRestore(Pfn page)
    {
        Assert.That(Map.TryUnmap(page), Is.True);
        Map.Restore(page, page);
    }

    // As a mover: the page held and locked.
    private void WithLocked(Pfn page, Action<Pfn> action)
    {
        Assert.That(rig.Frames.TryGet(page, out PageRef held), Is.EqualTo(Errno.Ok));
        rig.Spaces.PageLocks.Lock(page);
        action(page);
        rig.Spaces.PageLocks.Unlock(page);
        held.Dispose();
    }

    /// <summary>A process that maps a file of two pages, and two children, all of them mirrored.</summary>
    private sealed class FileFamily
    {
        private readonly SpaceRig rig;
        private readonly List<string> asked = [];

        internal FileFamily(SpaceRig rig)
        {
            this.rig = rig;
            MemoryFile file = rig.CreateFile(2, fill: 7);
            rig.Map(0, 2, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
            First = rig.Fork();
            Second = rig.Fork();
            Watch(rig.Space, "parent");
            Watch(First, "first");
            Watch(Second, "second");
        }

        internal AddressSpace First { get; }

        internal AddressSpace Second { get; }

        /// <summary>All three map the first page, which the parent has at a place of its own.</summary>
        internal Pfn ReadByAll(ulong parentsPage)
        {
            byte[] read = [rig.Read(parentsPage), rig.Read(0, First), rig.Read(0, Second)];
            Assert.That(read, Is.All.EqualTo(7));
            return rig.Entry(parentsPage).Frame;
        }

        /// <summary>Whose mirrors were told meanwhile, in turn.</summary>
        internal string AskedBy(Action action)
        {
            asked.Clear();
            action();
            return string.Join(", ", asked);
        }

        private void Watch(AddressSpace space, string name) => Assert.That(
            space.Notifiers.TryInsert(default, new ByteCount(1UL << 47), new Watcher(name, asked), out _), Is.EqualTo(Errno.Ok));

        private sealed class Watcher(string name, List<string> asked) : IIntervalListener
        {
            public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
            {
                notifier.SetSequence(sequence);
                asked.Add(name);
                return true;
            }
        }
    }
}
