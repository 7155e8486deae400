using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class PageCopyTests
{
    [Test]
    public void Of_TwoPages_ReadsOneAndWritesTheOther()
    {
        PageCopy copy = PageCopy.Of(new Pfn(0x400), new Pfn(0x200), PageSize.Large);
        Assert.That((copy.Source, copy.Destination, copy.IsClear), Is.EqualTo((new Pfn(0x400), new Pfn(0x200), false)));
        Assert.That(copy.Reads, Is.EqualTo(new PfnRange(new Pfn(0x400), new PageCount(512))));
        Assert.That(copy.Writes, Is.EqualTo(new PfnRange(new Pfn(0x200), new PageCount(512))));
        Assert.That($"{copy}", Is.EqualTo("pfn 0x400 -> pfn 0x200, 2 MiB"));
    }

    [Test]
    public void Clear_APage_ReadsNothing()
    {
        PageCopy copy = PageCopy.Clear(new Pfn(7));
        Assert.That((copy.IsClear, copy.Reads.IsEmpty, copy.Writes.Count.Value), Is.EqualTo((true, true, 1UL)));
        Assert.That($"{copy}", Is.EqualTo("zero -> pfn 0x7, 4 KiB"));
    }

    [Test]
    public void Default_ClearsFrameZero() => Assert.That(default(PageCopy), Is.EqualTo(PageCopy.Clear(Pfn.Zero)));

    [TestCase(0x201UL, 0x400UL)]
    [TestCase(0x200UL, 0x401UL)]
    [TestCase(0x200UL, 0x200UL)]
    [TestCase(0x200UL, 1UL << 52)]
    public void Of_LargePagesThatAreNoTwo_Throws(ulong source, ulong destination) => Assert.That(
        () => PageCopy.Of(new Pfn(source), new Pfn(destination), PageSize.Large), Throws.InstanceOf<ArgumentException>());

    [Test]
    public void OfAndClear_OneGibibyte_Throw()
    {
        Assert.That(() => PageCopy.Of(Pfn.Zero, new Pfn(1 << 18), PageSize.Huge), Throws.ArgumentException);
        Assert.That(() => PageCopy.Clear(Pfn.Zero, PageSize.Huge), Throws.ArgumentException);
    }
}
