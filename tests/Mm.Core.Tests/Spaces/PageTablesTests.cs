using Mm.Core.Checks;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

public sealed class PageTablesTests
{
    private const ulong Page = 4096;
    private const ulong Large = 2UL << 20;
    private const ulong Top = 1UL << 48;

    private readonly FaultInjector faults = new();
    private MachineMemory memory = null!;
    private PageTables tables = null!;

    [SetUp]
    public void Build()
    {
        memory = new MachineMemory(NativeBacking.OperatingSystem, hugePages: false);
        tables = new PageTables(memory, faults);
        faults.Clear();
    }

    [TearDown]
    public void LeavesNothingBehind()
    {
        tables.Validate();
        tables.Dispose();
        Assert.That((memory.Ledger.Live, memory.Ledger.LiveBlocks), Is.EqualTo((ByteCount.Zero, 0L)));
    }

    [Test]
    public void Exchange_AtTheEdges_KeepsEachPageApart(
        [Values(0UL, Page, (1UL << 47) - Page, 1UL << 47, Top - Page)] ulong at)
    {
        Set(at, Writable(7));
        Assert.That(tables.Read(new VirtAddr(at + Page - 1)), Is.EqualTo(Writable(7)));
        Assert.That(at == 0 || tables.Read(new VirtAddr(at - 1)).IsNone, Is.True);
        Assert.That(at + Page == Top || tables.Read(new VirtAddr(at + Page)).IsNone, Is.True);
        Assert.That((tables.TableCount, tables.Counts[PteKind.Present]), Is.EqualTo((4UL, PageCount.One)));
    }

    [Test]
    public void Exchange_OfSomethingElse_IsEagainAndTellsWhat()
    {
        Set(0, Writable(1));
        Assert.That(tables.TryExchange(default, Writable(2), default, out Pte before), Is.EqualTo(Errno.EAGAIN));
        Assert.That((before, tables.Read(default)), Is.EqualTo((Writable(1), Writable(1))));
        Assert.That(tables.TryExchange(new VirtAddr(1UL << 40), Writable(2), default, out before), Is.EqualTo(Errno.EAGAIN));
        Assert.That(before.IsNone, Is.True);
    }

    [Test]
    public void Exchange_NoneForNone_MakesNoTable()
    {
        Assert.That(tables.TryExchange(new VirtAddr(Large), default, default, out _), Is.EqualTo(Errno.Ok));
        Assert.That(tables.TableCount, Is.EqualTo(1UL));
    }

    [Test]
    public void Exchange_UnderALeaf_IsEagainAndTheLeaf()
    {
        SetLarge(0, LargeLeaf(512));
        Assert.That(tables.TryExchange(new VirtAddr(Page), default, Writable(1), out Pte before), Is.EqualTo(Errno.EAGAIN));
        Assert.That(before, Is.EqualTo(LargeLeaf(512)));
    }

    [Test]
    public void Exchange_WithoutMemory_IsEnomemEachTime([Values(1UL, 2UL, 3UL)] ulong nth)
    {
        faults.FailNth(FaultPoint.PageAlloc, nth);
        Assert.That(tables.TryExchange(default, default, Writable(1), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(tables.Read(default).IsNone, Is.True);
        tables.CollectEmpty(new VirtRange(default, new ByteCount(Page)));
        Assert.That(tables.TableCount, Is.EqualTo(1UL));
    }

    [Test]
    public void Exchange_BeyondTheLimit_IsEnomem()
    {
        using var small = new PageTables(memory, faults, tableLimit: 4);
        Assert.That(small.TryExchange(default, default, Writable(1), out _), Is.EqualTo(Errno.Ok));
        Assert.That(small.TryExchange(new VirtAddr(Large), default, Writable(2), out _), Is.EqualTo(Errno.ENOMEM));
        small.Unmap(Range(0, Page));
        small.CollectEmpty(Range(0, Page));
        Assert.That(small.TryExchange(new VirtAddr(Large), default, Writable(2), out _), Is.EqualTo(Errno.Ok));
        small.Validate();
    }

    [Test]
    public void Large_MappedSplitAndUnmapped_CountsItsPages()
    {
        SetLarge(Top - Large, LargeLeaf(1024).MakeDirty());
        Assert.That(tables.ReadLeaf(new VirtAddr(Top - 1), out PageSize size).IsLarge, Is.True);
        Assert.That((size, tables.Counts[PteKind.Present].Value), Is.EqualTo((PageSize.Large, 512UL)));
        Assert.That(tables.Read(new VirtAddr(Top - 1)).Frame, Is.EqualTo(new Pfn(1024 + 511)));
        Assert.That(tables.TrySplit(new VirtAddr(Top - 1)), Is.True);
        Assert.That(tables.TrySplit(new VirtAddr(Top - 1)), Is.False);
        Assert.That(tables.Read(new VirtAddr(Top - Page)), Is.EqualTo(LargeLeaf(1024).MakeDirty().SplitPart(511)));
        Assert.That(tables.Counts[PteKind.Present].Value, Is.EqualTo(512UL));
        tables.Unmap(Range(Top - Large, Large));
        Assert.That(tables.Counts[PteKind.Present].IsZero, Is.True);
    }

    [Test]
    public void Large_OverATable_IsEexistUntilCollected()
    {
        Set(0, Writable(1));
        tables.Unmap(Range(0, Page));
        Assert.That(tables.TryExchangeLarge(default, default, LargeLeaf(512), out Pte before), Is.EqualTo(Errno.EEXIST));
        Assert.That(before.IsNone, Is.True);
        tables.CollectEmpty(Range(0, Page));
        SetLarge(0, LargeLeaf(512));
        Assert.That(tables.TryExchangeLarge(default, default, LargeLeaf(1024), out before), Is.EqualTo(Errno.EAGAIN));
        Assert.That(before, Is.EqualTo(LargeLeaf(512)));
    }

    [Test]
    public void AddSmallTable_MakesOneWhereNoLeafStands()
    {
        Assert.That(tables.TryAddSmallTable(new VirtAddr(Page)), Is.EqualTo(Errno.Ok));
        ulong count = tables.TableCount;
        Assert.That(tables.TryAddSmallTable(default), Is.EqualTo(Errno.Ok), "it is there");
        Assert.That((tables.TableCount, tables.HasSmallTable(default)), Is.EqualTo((count, true)));
        SetLarge(Large, LargeLeaf(512));
        Assert.That(tables.TryAddSmallTable(new VirtAddr(Large)), Is.EqualTo(Errno.EAGAIN));
        Assert.That(() => tables.TryAddSmallTable(new VirtAddr(Top)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Large_WithoutMemory_IsEnomemEachTime([Values(1UL, 2UL, 3UL)] ulong nth)
    {
        faults.FailNth(FaultPoint.PageAlloc, nth);
        Assert.That(tables.TryExchangeLarge(default, default, LargeLeaf(512), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(tables.Counts[PteKind.Present].IsZero, Is.True);
    }

    [Test]
    public void Split_WhenEveryTableIsTaken_HasItsDeposit()
    {
        using var small = new PageTables(memory, faults, tableLimit: 4);
        Assert.That(small.TryExchangeLarge(default, default, LargeLeaf(512), out _), Is.EqualTo(Errno.Ok));
        Assert.That(small.TryExchange(new VirtAddr(Large), default, Writable(1), out _), Is.EqualTo(Errno.ENOMEM));
        faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(small.TrySplit(default), Is.True);
        small.Validate();
    }

    [Test]
    public void Unmap_OfPartOfALeaf_SplitsIt()
    {
        SetLarge(Large, LargeLeaf(512));
        tables.Unmap(Range(Large + Page, Large - (2 * Page)));
        Assert.That(tables.Counts[PteKind.Present].Value, Is.EqualTo(2UL));
        Assert.That(tables.Read(new VirtAddr(Large)).Frame, Is.EqualTo(new Pfn(512)));
        Assert.That(tables.Read(new VirtAddr((2 * Large) - 1)).Frame, Is.EqualTo(new Pfn(1023)));
    }

    [Test]
    public void Protect_ChangesPresentEntriesAlone()
    {
        Set(0, Writable(1).MakeDirty());
        Set(Page, Pte.DevicePrivate(new Pfn(9), isWritable: true));
        SetLarge(Large, LargeLeaf(512));
        tables.Protect(Range(0, Large * 2), PteProtection.None);
        Assert.That(tables.Read(default), Is.EqualTo(Writable(1).MakeDirty().Modify(PteProtection.None)));
        Assert.That(tables.Read(new VirtAddr(Page)), Is.EqualTo(Pte.DevicePrivate(new Pfn(9), isWritable: true)));
        Assert.That(tables.ReadLeaf(new VirtAddr(Large), out _).IsProtNone, Is.True);
    }

    [Test]
    public void Map_OverAnEntryOrALeaf_IsEbusyAndChangesNothing()
    {
        Set(Page, Writable(1));
        SetLarge(Large, LargeLeaf(512));
        Assert.That(tables.TryMap(default, [Writable(2), Writable(3)]), Is.EqualTo(Errno.EBUSY));
        Assert.That(tables.TryMap(new VirtAddr(Large - Page), [Writable(2), Writable(3)]), Is.EqualTo(Errno.EBUSY));
        Assert.That(tables.Counts[PteKind.Present].Value, Is.EqualTo(513UL));
    }

    [Test]
    public void Map_WithoutMemoryForTheSecondTable_ChangesNothing()
    {
        faults.FailNth(FaultPoint.PageAlloc, 4);
        Assert.That(tables.TryMap(new VirtAddr(Large - Page), [Writable(2), Writable(3)]), Is.EqualTo(Errno.ENOMEM));
        Assert.That(tables.Counts[PteKind.Present].IsZero, Is.True);
        tables.CollectEmpty(new VirtRange(default, new ByteCount(Top)));
        Assert.That(tables.TableCount, Is.EqualTo(1UL));
    }

    [Test]
    public void Move_OntoAnEntry_IsEbusy()
    {
        Set(0, Writable(1));
        Set(Large, Writable(2));
        Assert.That(tables.TryMove(Range(0, Page), new VirtAddr(Large)), Is.EqualTo(Errno.EBUSY));
        Assert.That(tables.Read(default), Is.EqualTo(Writable(1)));
    }

    [Test]
    public void Move_WithoutMemory_ChangesNothing()
    {
        Set(0, Writable(1));
        faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(tables.TryMove(Range(0, Page), new VirtAddr(Top - Page)), Is.EqualTo(Errno.ENOMEM));
        Assert.That((tables.Read(default), tables.Counts[PteKind.Present].Value), Is.EqualTo((Writable(1), 1UL)));
    }

    [Test]
    public void Move_OnTwoMebibytes_TakesLeavesAndTablesAsTheyAre()
    {
        SetLarge(0, LargeLeaf(512));
        Set(Large, Writable(1));
        Assert.That(tables.TryMove(Range(0, 2 * Large), new VirtAddr(1UL << 40)), Is.EqualTo(Errno.Ok));
        Assert.That(tables.ReadLeaf(new VirtAddr(1UL << 40), out _), Is.EqualTo(LargeLeaf(512)));
        Assert.That(tables.Read(new VirtAddr((1UL << 40) + Large)), Is.EqualTo(Writable(1)));
        Assert.That(tables.Read(default).IsNone && tables.Read(new VirtAddr(Large)).IsNone, Is.True);
    }

    [Test]
    public void Move_OffTwoMebibytes_SplitsTheLeaf()
    {
        SetLarge(0, LargeLeaf(512));
        Assert.That(tables.TryMove(Range(0, Large), new VirtAddr((1UL << 40) + Page)), Is.EqualTo(Errno.Ok));
        Assert.That(tables.Read(new VirtAddr((1UL << 40) + Large)).Frame, Is.EqualTo(new Pfn(1023)));
        Assert.That(tables.Counts[PteKind.Present].Value, Is.EqualTo(512UL));
    }

    [Test]
    public void Walk_OverAHoleALeafAndEntries_GivesOneRunEach()
    {
        SetLarge(Large, LargeLeaf(512));
        Set(2 * Large, Writable(1));
        var runs = new List<string>();
        foreach (PteRun run in tables.Walk(Range(Page, (2 * Large) + Page)))
        {
            runs.Add($"{run.Start} {run.Pages.Value} {(run.IsHole ? "hole" : run[0])}");
        }

        Assert.That(runs, Is.EqualTo(new[]
        {
            "0x1000 511 hole", "0x200000 512 Present pfn 0x200 P W", "0x400000 2 Present pfn 0x1 P W",
        }));
    }

    [Test]
    public void Run_IndexOutside_Throws()
    {
        PteCursor cursor = tables.Walk(Range(0, Page));
        Assert.That(cursor.MoveNext(), Is.True);
        PteRun run = cursor.Current;
        ArgumentOutOfRangeException? thrown = null;
        try
        {
            _ = run[1];
        }
        catch (ArgumentOutOfRangeException refused)
        {
            thrown = refused;
        }

        Assert.That(thrown, Is.Not.Null);
        Assert.That(cursor.MoveNext(), Is.False);
    }

    [Test]
    public void Snapshot_OfEveryKind_GivesTheWordsOfThePlainOnes()
    {
        Set(0, Writable(5));
        Set(Page, Pte.ZeroPage(new Pfn(6)));
        Set(2 * Page, Pte.Present(new Pfn(7), PteProtection.Read).MakeSpecial());
        SetLarge(Large, LargeLeaf(512));
        var words = new ulong[514];
        Assert.That(tables.Snapshot(default, words), Is.True);
        Assert.That(words[..4], Is.EqualTo(new[] { PteScan.Valid | PteScan.Writable | 5, PteScan.Valid | 6, 0UL, 0UL }));
        Assert.That(words[513], Is.EqualTo(PteScan.Valid | PteScan.Writable | (9UL << PteScan.OrderShift) | 513));
        Assert.That(tables.Snapshot(default, words.AsSpan(0, 2)), Is.False);
        Assert.That(tables.Snapshot(new VirtAddr(1UL << 45), words), Is.False);
        Assert.That(words, Is.All.Zero);
    }

    [Test]
    public void Arguments_OutsideTheAddresses_AreRefused()
    {
        Assert.That(() => tables.Read(new VirtAddr(Top)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => tables.TryExchange(new VirtAddr(1), default, default, out _), Throws.ArgumentException);
        Assert.That(() => tables.TryExchange(default, default, LargeLeaf(512), out _), Throws.ArgumentException);
        Assert.That(() => tables.TryExchangeLarge(new VirtAddr(Page), default, default, out _), Throws.ArgumentException);
        Assert.That(() => tables.Unmap(Range(Top - Page, 2 * Page)), Throws.ArgumentException);
        Assert.That(() => tables.Protect(Range(1, Page), PteProtection.Read), Throws.ArgumentException);
        Assert.That(() => tables.TryMove(Range(0, 2 * Page), new VirtAddr(Page)), Throws.ArgumentException);
        Assert.That(() => tables.Snapshot(new VirtAddr(Top - Page), new ulong[2]), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => tables.TryExchange(default, default, new Pte(1UL << 63), out _), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Exchange_FromManyThreads_CountsEveryPageOnce()
    {
        const int Pages = 4096;
        int[] wins = new int[4];
        Parallel.For(0, wins.Length, worker =>
        {
            for (ulong page = 0; page < Pages; page++)
            {
                if (tables.TryExchange(new VirtAddr(page * Page), default, Writable(page + 1), out _).IsOk)
                {
                    wins[worker]++;
                }
            }
        });
        Assert.That(wins.Sum(), Is.EqualTo(Pages));
        Assert.That(tables.Counts[PteKind.Present].Value, Is.EqualTo((ulong)Pages));
    }

    [Test]
    public void Split_AgainstUnmapFromManyThreads_LeavesNoDeposit()
    {
        for (int round = 0; round < 200; round++)
        {
            SetLarge(0, LargeLeaf(512));
            Parallel.Invoke(
                () => tables.TrySplit(default), () => tables.Unmap(Range(0, Large)), () => tables.TrySplit(new VirtAddr(Page)));
            Assert.That(tables.Counts[PteKind.Present].IsZero, Is.True);
            tables.CollectEmpty(Range(0, Large));
            tables.Validate();
        }
    }

    private static Pte Writable(ulong frame) => Pte.Present(new Pfn(frame), PteProtection.ReadWrite);

    private static Pte LargeLeaf(ulong frame) => Writable(frame).MakeLarge();

    private static VirtRange Range(ulong start, ulong length) => new(new VirtAddr(start), new ByteCount(length));

    private void Set(ulong at, Pte entry) =>
        Assert.That(tables.TryExchange(new VirtAddr(at), default, entry, out _), Is.EqualTo(Errno.Ok));

    private void SetLarge(ulong at, Pte entry) =>
        Assert.That(tables.TryExchangeLarge(new VirtAddr(at), default, entry, out _), Is.EqualTo(Errno.Ok));
}
