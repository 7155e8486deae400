using Mm.Core.Frames;

namespace Mm.Core.Tests.Frames;

/// <summary>Every transition from every interesting word, without threads.</summary>
public sealed class PageCountWordTests
{
    private static readonly uint[] Counts =
        [0, 1, 2, 1023, 1024, 1025, 2048, PageCountWord.MaxReferences - 1024, PageCountWord.MaxReferences - 1, PageCountWord.MaxReferences];

    // All states, orders that differ, compound or not, counts at their borders: only words that the invariants allow.
    private static IEnumerable<PageCountWord> Words()
    {
        yield return PageCountWord.Blank;
        foreach (int order in new[] { 0, 1, 9, 18 })
        {
            yield return PageCountWord.Free(order);
            yield return PageCountWord.PerCpu(order);
            foreach (uint count in Counts.Where(count => count > 0))
            {
                yield return new PageCountWord(PageCountWord.Raw(order).Bits - 1 + count);
                if (order > 0)
                {
                    var folio = new PageCountWord(PageCountWord.Folio(order).Bits - 1 + count);
                    yield return folio;
                    foreach (uint pins in new[] { 1u, 2u, PageCountWord.MaxPins }.Where(pins => pins <= count))
                    {
                        yield return new PageCountWord(folio.Bits | ((ulong)pins << PageCountWord.PinShift));
                    }
                }
            }

            if (PageCountWord.Folio(order).TryFreeze(1, out PageCountWord frozen))
            {
                yield return frozen;
            }
        }

        yield return PageCountWord.DeviceIdle();
    }

    private static void CheckInvariants(PageCountWord word)
    {
        Assert.That(word.References > 0, Is.EqualTo(word.State == PageState.InUse), $"invariant 1: {word}");
        Assert.That(word.References, Is.LessThanOrEqualTo(PageCountWord.MaxReferences), $"bound: {word}");
        Assert.That(word.Pins, Is.LessThanOrEqualTo(word.References), $"invariant 2: {word}");
        Assert.That(word.Pins == 0 || word.IsCompound, Is.True, $"invariant 2: {word}");
        Assert.That(word.State != PageState.Blank || word.Bits == 0, Is.True, $"invariant 3: {word}");
    }

    [Test]
    public void Words_HoldTheInvariants()
    {
        foreach (PageCountWord word in Words())
        {
            CheckInvariants(word);
        }
    }

    [Test]
    public void Blank_IsZero()
    {
        Assert.That(PageCountWord.Blank.Bits, Is.Zero);
        Assert.That(new PageCountWord(0).State, Is.EqualTo(PageState.Blank));
    }

    [Test]
    public void Get_FromEveryWord_AddsOrRefuses()
    {
        foreach (PageCountWord word in Words())
        {
            foreach (uint count in Counts.Where(count => count > 0))
            {
                bool expected = word.State == PageState.InUse
                    && (ulong)word.References + count <= PageCountWord.MaxReferences;
                Assert.That(word.TryGet(count, out PageCountWord next), Is.EqualTo(expected), $"{word} + {count}");
                AssertStep(word, next, expected, expected ? word.References + count : 0, word.Pins);
            }
        }
    }

    [Test]
    public void Put_FromEveryWord_SubtractsFreezesOrRefuses()
    {
        foreach (PageCountWord word in Words())
        {
            foreach (uint count in Counts.Where(count => count > 0))
            {
                bool expected = word.State == PageState.InUse && count <= word.References - word.Pins;
                Assert.That(word.TryPut(count, out PageCountWord next), Is.EqualTo(expected), $"{word} - {count}");
                AssertStep(word, next, expected, expected ? word.References - count : 0, word.Pins);
            }
        }
    }

    [Test]
    public void Pin_FromEveryWord_BiasesSmallPagesAndCountsFolios()
    {
        foreach (PageCountWord word in Words())
        {
            uint step = word.IsCompound ? 1 : PageCountWord.PinBias;
            bool expected = word.State == PageState.InUse
                && (ulong)word.References + step <= PageCountWord.MaxReferences
                && word.Pins < PageCountWord.MaxPins;
            Assert.That(word.TryPin(out PageCountWord next), Is.EqualTo(expected), $"pin {word}");
            uint pins = word.IsCompound ? word.Pins + 1 : 0;
            AssertStep(word, next, expected, expected ? word.References + step : 0, pins);
            if (expected)
            {
                Assert.That(next.MaybePinned, Is.True);
                Assert.That(next.TryUnpin(out PageCountWord back), Is.True);
                Assert.That(back, Is.EqualTo(word), "unpin is the inverse");
            }
        }
    }

    [Test]
    public void Unpin_FromEveryWord_TakesBackOrRefuses()
    {
        foreach (PageCountWord word in Words())
        {
            bool expected = word.State == PageState.InUse
                && (word.IsCompound ? word.Pins > 0 : word.References >= PageCountWord.PinBias);
            Assert.That(word.TryUnpin(out PageCountWord next), Is.EqualTo(expected), $"unpin {word}");
            uint step = word.IsCompound ? 1 : PageCountWord.PinBias;
            uint pins = expected && word.IsCompound ? word.Pins - 1 : 0;
            AssertStep(word, next, expected, expected ? word.References - step : 0, pins);
        }
    }

    [Test]
    public void Freeze_FromEveryWord_WantsTheExactCountAndNoPins()
    {
        foreach (PageCountWord word in Words())
        {
            foreach (uint count in Counts)
            {
                bool expected = word.State == PageState.InUse && word.References == count && word.Pins == 0;
                Assert.That(word.TryFreeze(count, out PageCountWord next), Is.EqualTo(expected), $"freeze {word} at {count}");
                AssertStep(word, next, expected, 0, 0);
                if (expected)
                {
                    Assert.That(next.State, Is.EqualTo(PageState.Frozen));
                    Assert.That(next.TryUnfreeze(count, out PageCountWord back), Is.True);
                    Assert.That(back, Is.EqualTo(word), "unfreeze is the inverse");
                }
            }
        }
    }

    [Test]
    public void Unfreeze_FromEveryWord_OpensFrozenPagesAlone()
    {
        foreach (PageCountWord word in Words())
        {
            foreach (uint count in Counts.Append(PageCountWord.MaxReferences + 1))
            {
                bool expected = word.State == PageState.Frozen && count is > 0 and <= PageCountWord.MaxReferences;
                Assert.That(word.TryUnfreeze(count, out PageCountWord next), Is.EqualTo(expected), $"unfreeze {word}");
                AssertStep(word, next, expected, expected ? count : 0, 0);
            }
        }
    }

    [Test]
    public void PutBlock_FromEveryWord_LeavesTheFirstPageAloneWhenHeld()
    {
        foreach (PageCountWord word in Words())
        {
            bool expected = word.State == PageState.InUse && !word.IsCompound;
            Assert.That(word.TryPutBlock(out PageCountWord next), Is.EqualTo(expected), $"put block {word}");
            if (!expected)
            {
                Assert.That(next, Is.EqualTo(word));
                continue;
            }

            CheckInvariants(next);
            Assert.That(next.References, Is.EqualTo(word.References - 1));
            Assert.That(next.Order, Is.EqualTo(word.References == 1 ? word.Order : 0));
            Assert.That(next.State, Is.EqualTo(word.References == 1 ? PageState.Frozen : PageState.InUse));
        }
    }

    [Test]
    public void SplitBlock_FromEveryWord_DropsTheOrderAndNothingElse()
    {
        foreach (PageCountWord word in Words())
        {
            bool expected = word.State == PageState.InUse && !word.IsCompound;
            Assert.That(word.TrySplitBlock(out PageCountWord next), Is.EqualTo(expected), $"split {word}");
            Assert.That(next.Order, Is.EqualTo(expected ? 0 : word.Order));
            Assert.That(next.References, Is.EqualTo(word.References));
            Assert.That(next.State, Is.EqualTo(word.State));
        }
    }

    [TestCase(0, 1023u, false)]
    [TestCase(0, 1024u, true)]
    [TestCase(1, 1024u, false)]
    public void MaybePinned_ByReferencesAlone_IsAFalsePositiveOfSmallPagesOnly(int order, uint references, bool expected)
    {
        Assert.That(PageCountWord.Folio(order).TryGet(references - 1, out PageCountWord word), Is.True);
        Assert.That(word.MaybePinned, Is.EqualTo(expected));
    }

    // A refused step returns the word unchanged; one that is taken keeps order and compound and lands in its band.
    private static void AssertStep(PageCountWord before, PageCountWord after, bool taken, uint references, uint pins)
    {
        CheckInvariants(after);
        if (!taken)
        {
            Assert.That(after, Is.EqualTo(before), "a refused step changes nothing");
            return;
        }

        Assert.That(after.References, Is.EqualTo(references));
        Assert.That(after.Pins, Is.EqualTo(pins));
        Assert.That(after.Order, Is.EqualTo(before.Order));
        Assert.That(after.IsCompound, Is.EqualTo(before.IsCompound));
    }
}
