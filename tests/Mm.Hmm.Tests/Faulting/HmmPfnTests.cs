using System.Runtime.InteropServices;
using Mm.Core;
using Mm.Hmm.Faulting;

namespace Mm.Hmm.Tests.Faulting;

/// <summary>Every flag with every order and the frames at the borders: what goes in comes out, at Linux's places.</summary>
public sealed class HmmPfnTests
{
    private static readonly Pfn[] Frames = [Pfn.Zero, new(1), new(0x1234_5678), new((1UL << 40) - 1), Pfn.MaxValue];

    [Test]
    public void Layout_IsOneWord() => Assert.That(Marshal.SizeOf<HmmPfn>(), Is.EqualTo(8));

    [Test]
    public void Flags_StandWhereLinuxHasThem()
    {
        Assert.Multiple(() =>
        {
            Assert.That(HmmPfn.RequestFault.Bits, Is.EqualTo(0x8000_0000_0000_0000));
            Assert.That(HmmPfn.RequestWrite.Bits, Is.EqualTo(0xc000_0000_0000_0000));
            Assert.That(HmmPfn.Error.Bits, Is.EqualTo(0x2000_0000_0000_0000));
            Assert.That(HmmPfn.Readable(new Pfn(0x42), 9).Bits, Is.EqualTo(0x8900_0000_0000_0042));
            Assert.That(HmmPfn.Writable(new Pfn(0x42)).Bits, Is.EqualTo(0xc000_0000_0000_0042));
            Assert.That(HmmPfn.None.Bits, Is.Zero);
        });
    }

    [Test]
    public void Page_OfEveryFrameAndOrder_KeepsThem()
    {
        foreach (Pfn frame in Frames)
        {
            for (int order = 0; order <= HmmPfn.MaxOrder; order++)
            {
                AssertParts(HmmPfn.Readable(frame, order), frame, order, isWritable: false);
                AssertParts(HmmPfn.Writable(frame, order), frame, order, isWritable: true);
            }
        }
    }

    [Test]
    public void Error_IsNothingElse()
    {
        HmmPfn error = HmmPfn.Error;
        Assert.That((error.IsError, error.IsValid, error.IsWritable, error.Frame, error.MapOrder), Is.EqualTo((true, false, false, Pfn.Zero, 0)));
    }

    [Test]
    public void None_IsDefaultAndNothing()
    {
        HmmPfn none = default;
        Assert.That(none, Is.EqualTo(HmmPfn.None));
        Assert.That((none.IsError, none.IsValid, none.WantsFault, none.WantsWrite), Is.EqualTo((false, false, false, false)));
    }

    // The table of hmm_pte_need_fault: request bits down, what the CPU has across.
    [TestCase(false, false, true, true, true)]
    [TestCase(false, true, true, true, true)] // a write without a fault asks for nothing
    [TestCase(true, false, false, true, true)]
    [TestCase(true, true, false, false, true)]
    public void Meets_EachRequest_IsLinuxTable(bool fault, bool write, bool none, bool readable, bool writable)
    {
        var request = new HmmPfn((fault ? HmmPfn.RequestFault.Bits : 0) | (write ? 1UL << 62 : 0));
        Assert.Multiple(() =>
        {
            Assert.That(HmmPfn.None.Meets(request), Is.EqualTo(none));
            Assert.That(HmmPfn.Readable(new Pfn(7)).Meets(request), Is.EqualTo(readable));
            Assert.That(HmmPfn.Writable(new Pfn(7)).Meets(request), Is.EqualTo(writable));
        });
    }

    [Test]
    public void Asked_EachCombination_MasksThePageAndAddsTheRange()
    {
        HmmPfn[] words = [HmmPfn.None, HmmPfn.RequestFault, HmmPfn.RequestWrite];
        foreach (HmmPfn page in words)
        {
            Assert.That(page.Asked(HmmPfn.None, HmmPfn.None), Is.EqualTo(HmmPfn.None));
            Assert.That(page.Asked(HmmPfn.RequestWrite, HmmPfn.None), Is.EqualTo(page));
            Assert.That(page.Asked(HmmPfn.None, HmmPfn.RequestWrite), Is.EqualTo(HmmPfn.RequestWrite));
            Assert.That(page.Asked(HmmPfn.RequestFault, HmmPfn.None).WantsFault, Is.EqualTo(page.WantsFault));
            Assert.That(page.Asked(HmmPfn.RequestFault, HmmPfn.None).WantsWrite, Is.False);
        }
    }

    [TestCase(-1)]
    [TestCase(32)]
    public void Readable_OrderThatHasNoBits_Throws(int order) =>
        Assert.That(() => HmmPfn.Readable(new Pfn(1), order), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void Writable_FrameWithoutAnAddress_Throws() =>
        Assert.That(() => HmmPfn.Writable(new Pfn(1UL << 52)), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void ToString_EachKind_SaysIt() => Assert.That(
        $"{HmmPfn.None}; {HmmPfn.Error}; {HmmPfn.Readable(new Pfn(0x10))}; {HmmPfn.Writable(new Pfn(0x200), 9)}",
        Is.EqualTo("none; error; pfn 0x10 r; pfn 0x200 rw order 9"));

    private static void AssertParts(HmmPfn word, Pfn frame, int order, bool isWritable)
    {
        Assert.That((word.Frame, word.MapOrder), Is.EqualTo((frame, order)), $"{word}");
        Assert.That((word.IsValid, word.IsWritable, word.IsError), Is.EqualTo((true, isWritable, false)), $"{word}: invariants 1, 2");
    }
}
