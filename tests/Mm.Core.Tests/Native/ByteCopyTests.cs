using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class ByteCopyTests
{
    private static readonly VectorLevel[] Levels = Enum.GetValues<VectorLevel>();

    [Test]
    public void NonTemporal_EveryLengthAndAlignment_CopiesAllAndNothingElse([ValueSource(nameof(Levels))] VectorLevel level)
    {
        byte[] source = new byte[1200];
        new MachineRandom(1).Fill(source);
        byte[] destination = new byte[1200];
        for (int length = 0; length < 1000; length += length < 400 ? 1 : 37)
        {
            foreach (int offset in (int[])[0, 1, 31, 63, 64])
            {
                destination.AsSpan().Fill(0xEE);
                ByteCopy.NonTemporalUnfenced(
                    level, source.AsSpan(7, length), destination.AsSpan(offset, length), source.AsSpan(0, 100));

                Assert.That(destination.AsSpan(offset, length).SequenceEqual(source.AsSpan(7, length)), Is.True);
                Assert.That(destination.AsSpan(0, offset).IndexOfAnyExcept((byte)0xEE), Is.EqualTo(-1));
                Assert.That(destination.AsSpan(offset + length).IndexOfAnyExcept((byte)0xEE), Is.EqualTo(-1));
            }
        }
    }

    [Test]
    public void NonTemporal_LengthsDiffer_IsRefusedAndCopiesNothing()
    {
        byte[] destination = new byte[9];
        Assert.That(() => ByteCopy.NonTemporal(new byte[10], destination), Throws.ArgumentException);
        Assert.That(() => ByteCopy.Plain(new byte[8], destination), Throws.ArgumentException);
        Assert.That(destination, Is.All.Zero);
    }

    [Test]
    public void NonTemporal_Overlapping_IsRefusedAndCopiesNothing()
    {
        byte[] bytes = [1, 2, 3, 4];
        Assert.That(() => ByteCopy.NonTemporal(bytes.AsSpan(0, 3), bytes.AsSpan(1, 3)), Throws.ArgumentException);
        Assert.That(bytes, Is.EqualTo(new byte[] { 1, 2, 3, 4 }));
    }

    [Test]
    public void Plain_Overlapping_GivesWhatTheSourceHeld()
    {
        byte[] bytes = [1, 2, 3, 4];
        ByteCopy.Plain(bytes.AsSpan(0, 3), bytes.AsSpan(1, 3));
        Assert.That(bytes, Is.EqualTo(new byte[] { 1, 1, 2, 3 }));
    }

    [Test]
    public void Prefetch_AnySpan_ChangesNothing()
    {
        byte[] bytes = [1, 2, 3];
        ByteCopy.Prefetch(bytes);
        ByteCopy.Prefetch(default);
        Assert.That(bytes, Is.EqualTo(new byte[] { 1, 2, 3 }));
    }
}
