using Mm.Core.Checks;
using Mm.Core.Frames;

namespace Mm.Core.Tests.Frames;

/// <summary>What page tables say of pages, and folios broken into pages.</summary>
internal sealed class FrameTableMappingsTests
{
    private const ulong Word = (1UL << 32) | (1UL << 1) | PageMeta.AnonMapping;

    private Machine machine = null!;
    private Pfn single;
    private Pfn head;

    private FrameTable Frames => machine.Frames;

    [SetUp]
    public void Build()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
        single = machine.Take(AllocationRequest.User).Page; // held by the frame alone, as an entry holds it
        head = machine.Take(AllocationRequest.User with { Order = 2 }).Page;
    }

    [TearDown]
    public void LeavesNothing()
    {
        Frames.PutFrame(single);
        Frames.PutFrame(head);
        machine.Validate();
        machine.Dispose();
    }

    [Test]
    public void AddAndRemove_OfASinglePage_CountIt()
    {
        Frames.AddMapping(single);
        Frames.AddMapping(single);
        Assert.That((Frames.MapCountOf(single), Frames.MapCountOfPage(single), Frames.Describe(single).MapCount), Is.EqualTo((2UL, 2UL, 2U)));
        Frames.RemoveMapping(single);
        Frames.RemoveMapping(single);
        Assert.That(Frames.MapCountOf(single), Is.Zero);
    }

    [Test]
    public void AddAndRemove_OfAFolio_CountPartsAndLeaves()
    {
        Frames.AddEntireMapping(head);
        Frames.AddMapping(Part(1));
        Assert.That((Frames.MapCountOf(head), Frames.MapCountOf(Part(3)), Frames.EntireMapCountOf(head)), Is.EqualTo((2UL, 2UL, 1UL)));
        Assert.That((Frames.MapCountOfPage(Part(1)), Frames.MapCountOfPage(Part(2))), Is.EqualTo((2UL, 1UL)));
        Frames.RemoveMapping(Part(1));
        Frames.RemoveEntireMapping(head);
        Assert.That((Frames.MapCountOf(head), Frames.EntireMapCountOf(single)), Is.EqualTo((0UL, 0UL)));
    }

    [Test]
    public void Remove_OfWhatIsNotMapped_IsABug()
    {
        Assert.That(() => Frames.RemoveMapping(single), Throws.InstanceOf<MmBugException>());
        Frames.AddMapping(single); // what the refused call took
        Assert.That(() => Frames.RemoveEntireMapping(head), Throws.InstanceOf<MmBugException>());
        Frames.AddEntireMapping(head);
    }

    [Test]
    public void HeadOf_EachPart_IsTheFoliosFirst()
    {
        for (ulong part = 0; part < 4; part++)
        {
            Assert.That((Frames.HeadOf(Part(part), out int order), order, Frames.IsLarge(Part(part))), Is.EqualTo((head, 2, true)));
        }

        Assert.That((Frames.HeadOf(single, out int none), none, Frames.IsLarge(single), Frames.IsDevice(single)), Is.EqualTo((single, 0, false, false)));
    }

    [Test]
    public void BelongsTo_OfAPart_CountsOnFromTheHead()
    {
        Frames.SetBelongsTo(head, Word, 100);
        Assert.That((Frames.BelongsTo(head), Frames.BelongsTo(Part(3))), Is.EqualTo(((Word, 100UL), (Word, 103UL))));
        Frames.SetBelongsTo(head, mapping: 0, index: 0);
        Assert.That(Frames.BelongsTo(single), Is.EqualTo((0UL, 0UL)));
    }

    [Test]
    public void GetAndPut_ByTheFrame_CountReferencesOfTheFolio()
    {
        Frames.GetFrame(Part(2));
        Assert.That((Frames.ReferencesOf(head), Frames.ReferencesOf(Part(1)), Frames.MaybePinned(head)), Is.EqualTo((2U, 2U, false)));
        Frames.PutFrame(Part(3));
        Assert.That(Frames.ReferencesOf(head), Is.EqualTo(1U));
    }

    [Test]
    public void Get_OfAFreePage_IsABug()
    {
        Pfn free = machine.Take(AllocationRequest.User).Page;
        Frames.PutFrame(free);
        Assert.That(() => Frames.GetFrame(free), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void MaybePinned_OfASmallPage_IsFrom1024References()
    {
        for (int taken = 1; taken < 1023; taken++)
        {
            Frames.GetFrame(single);
        }

        Assert.That(Frames.MaybePinned(single), Is.False);
        Frames.GetFrame(single);
        Assert.That(Frames.MaybePinned(single), Is.True);
        for (int taken = 0; taken < 1023; taken++)
        {
            Frames.PutFrame(single);
        }
    }

    [Test]
    public void SplitFolio_ThatIsTheCallersAlone_GivesSinglePagesThatKnowTheirOwner()
    {
        Frames.SetBelongsTo(head, Word, 100);
        _ = Frames.SetFlags(head, PageFlags.Dirty | PageFlags.Locked);
        Assert.That(Frames.TrySplitFolio(head, expected: 1), Is.True);
        _ = Frames.ClearFlags(head, PageFlags.Locked);
        for (ulong part = 0; part < 4; part++)
        {
            PageInfo info = Frames.Describe(Part(part));
            Assert.That((info.Head, info.Order, info.References, info.Flags & (PageFlags.Dirty | PageFlags.Locked)), Is.EqualTo((Part(part), 0, 1U, PageFlags.Dirty)));
            Assert.That(Frames.BelongsTo(Part(part)), Is.EqualTo((Word, 100 + part)));
        }

        for (ulong part = 1; part < 4; part++)
        {
            Frames.PutFrame(Part(part));
        }
    }

    [Test]
    public void SplitFolio_ThatSomebodyElseHolds_ChangesNothing()
    {
        Frames.GetFrame(Part(1));
        Assert.That(Frames.TrySplitFolio(head, expected: 1), Is.False);
        Assert.That((Frames.HeadOf(Part(1), out int order), order, Frames.ReferencesOf(head)), Is.EqualTo((head, 2, 2U)));
        Frames.PutFrame(Part(1));
    }

    private Pfn Part(ulong index) => new(head.Value + index);
}
