using System.Runtime.InteropServices;
using Mm.Core;
using Mm.Hmm.Migration;

namespace Mm.Hmm.Tests.Migration;

/// <summary>Every word that the invariants allow, and every step from it.</summary>
public sealed class MigratePfnTests
{
    private const ulong DrawnZero = 0b10_0100;

    private static readonly Pfn[] Frames = [Pfn.Zero, new(1), new(0x1234_5678), new((1UL << 40) - 1), Pfn.MaxValue];

    private static IEnumerable<MigratePfn> Words()
    {
        yield return MigratePfn.None;
        yield return MigratePfn.Hole;
        yield return MigratePfn.Hole.MadeWritable();
        yield return MigratePfn.Hole.MadeCompound();
        foreach (Pfn frame in Frames)
        {
            yield return MigratePfn.Of(frame);
            yield return MigratePfn.Of(frame).MadeWritable();
            yield return MigratePfn.Offer(frame, isWritable: false);
            yield return MigratePfn.Offer(frame, isWritable: true);
            yield return MigratePfn.Offer(frame, isWritable: true).MadeCompound();
        }
    }

    [Test]
    public void Layout_IsOneWord() => Assert.That(Marshal.SizeOf<MigratePfn>(), Is.EqualTo(8));

    [Test]
    public void Flags_StandWhereLinuxHasThem()
    {
        Assert.Multiple(() =>
        {
            Assert.That(MigratePfn.None.Bits, Is.Zero);
            Assert.That(MigratePfn.Hole.Bits, Is.EqualTo(2));
            Assert.That(MigratePfn.Of(new Pfn(0x42)).Bits, Is.EqualTo((0x42UL << 6) | 1));
            Assert.That(MigratePfn.Offer(new Pfn(0x42), isWritable: false).Bits, Is.EqualTo((0x42UL << 6) | 3));
            Assert.That(MigratePfn.Offer(new Pfn(0x42), isWritable: true).Bits, Is.EqualTo((0x42UL << 6) | 11));
            Assert.That(MigratePfn.Of(new Pfn(0x42)).MadeCompound().Bits, Is.EqualTo((0x42UL << 6) | 17));
        });
    }

    [Test]
    public void Words_HoldTheInvariants()
    {
        foreach (MigratePfn word in Words())
        {
            Assert.That(word.HasPage || word.Page == Pfn.Zero, Is.True, $"invariant 1: {word}");
            Assert.That(word.Bits & DrawnZero, Is.Zero, $"invariant 2: {word}");
            Assert.That(word.IsHole, Is.EqualTo(word.Migrates && !word.HasPage), $"{word}");
        }
    }

    [Test]
    public void Stays_FromEveryWord_LosesMigrateAlone()
    {
        foreach (MigratePfn word in Words())
        {
            MigratePfn next = word.Stays();
            Assert.That((next.Migrates, next.HasPage, next.IsWritable, next.Page), Is.EqualTo((false, word.HasPage, word.IsWritable, word.Page)), $"{word}");
        }
    }

    [Test]
    public void MadeWritable_FromEveryWord_GainsWriteAlone()
    {
        foreach (MigratePfn word in Words())
        {
            MigratePfn next = word.MadeWritable();
            Assert.That((next.Migrates, next.HasPage, next.IsWritable, next.Page), Is.EqualTo((word.Migrates, word.HasPage, true, word.Page)), $"{word}");
        }
    }

    [Test]
    public void MadeCompound_FromEveryPageAndHole_GainsCompoundAlone()
    {
        foreach (MigratePfn word in Words().Where(word => word.HasPage || word.IsHole))
        {
            MigratePfn next = word.MadeCompound();
            Assert.That(next.Bits & ~word.Bits, Is.EqualTo(word.IsCompound ? 0 : 16), $"{word}");
            Assert.That(next.IsCompound, Is.True, $"{word}");
        }
    }

    [Test]
    public void MadeCompound_OfNone_Throws() =>
        Assert.That(() => MigratePfn.None.MadeCompound(), Throws.InvalidOperationException);

    [Test]
    public void Page_OfEveryFrame_IsKept()
    {
        foreach (Pfn frame in Frames)
        {
            Assert.That(MigratePfn.Of(frame).Page, Is.EqualTo(frame));
            Assert.That(MigratePfn.Offer(frame, isWritable: true).Page, Is.EqualTo(frame));
        }
    }

    [Test]
    public void Of_FrameWithoutAnAddress_Throws() =>
        Assert.That(() => MigratePfn.Of(new Pfn(1UL << 52)), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void ToString_EachKind_SaysIt() => Assert.That(
        $"{MigratePfn.None}; {MigratePfn.Hole}; {MigratePfn.Of(new Pfn(0x10))}; {MigratePfn.Offer(new Pfn(0x20), isWritable: true).MadeCompound()}",
        Is.EqualTo("none; hole; pfn 0x10; pfn 0x20 migrates rw compound"));
}
