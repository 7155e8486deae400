namespace Mm.Core.Tests;

internal sealed class MachineRandomTests
{
    [TestCase(0UL, 0x99EC5F36CB75F2B4UL, 0xBF6E1F784956452AUL, 0x1A5F849D4933E6E0UL)]
    [TestCase(12345UL, 0xBE6A36374160D49BUL, 0x214AAA0637A688C6UL, 0xF69D16DE9954D388UL)]
    public void Bits_OfASeed_AreThoseOfAnIndependentXoshiro256StarStar(ulong seed, ulong first, ulong second, ulong third)
    {
        var random = new MachineRandom(seed);
        Assert.That((random.NextBits(), random.NextBits(), random.NextBits()), Is.EqualTo((first, second, third)));
    }

    [Test]
    public void Below_ABoundOfThree_FallsEvenly()
    {
        var random = new MachineRandom(7);
        int[] counts = new int[3];
        for (int i = 0; i < 30_000; i++)
        {
            counts[random.NextBelow(3)]++;
        }

        Assert.That(counts, Is.All.InRange(9_600, 10_400));
    }

    [TestCase(1UL)]
    [TestCase((1UL << 63) + 1)]
    [TestCase(ulong.MaxValue)]
    public void Below_AnyBound_StaysBelow(ulong bound)
    {
        var random = new MachineRandom(9);
        for (int i = 0; i < 1000; i++)
        {
            Assert.That(random.NextBelow(bound), Is.LessThan(bound));
        }
    }

    [Test]
    public void Below_Zero_IsRefused() =>
        Assert.That(() => new MachineRandom(0).NextBelow(0), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void Fill_OfAnyLength_IsAPrefixOfTheSameStream()
    {
        byte[] whole = new byte[64];
        new MachineRandom(5).Fill(whole);
        for (int length = 0; length < 64; length++)
        {
            byte[] part = new byte[length];
            new MachineRandom(5).Fill(part);
            Assert.That(part, Is.EqualTo(whole[..length]));
        }
    }

    [Test]
    public void Streams_OfOneSeed_DependOnTheNameAlone()
    {
        ulong one = MachineRandom.ForStream(1, "evict").NextBits();
        Assert.That(MachineRandom.ForStream(1, "evict").NextBits(), Is.EqualTo(one));
        Assert.That(MachineRandom.ForStream(1, "fault").NextBits(), Is.Not.EqualTo(one));
        Assert.That(MachineRandom.ForStream(2, "evict").NextBits(), Is.Not.EqualTo(one));
    }
}
