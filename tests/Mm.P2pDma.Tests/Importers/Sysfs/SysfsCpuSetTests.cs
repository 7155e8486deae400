using Mm.P2pDma.Importers.Sysfs;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class SysfsCpuSetTests
{
    [TestCase("0", 0)]
    [TestCase("0000ff00", 8)]
    [TestCase("0000,00000000,000000ff,ff000000", 16)]
    public void TryMask_Mask_CountsItsBits(string text, int count)
    {
        Assert.That(SysfsCpuSet.TryMask(text, out SysfsCpuSet set), Is.True);
        Assert.That(set.Count, Is.EqualTo(count));
    }

    [TestCase("")]
    [TestCase("0-7")]
    [TestCase(",")]
    [TestCase("123456789")]
    public void TryMask_NoMask_IsRefused(string text) => Assert.That(SysfsCpuSet.TryMask(text, out _), Is.False);

    [Test]
    public void TryMask_TooManyWords_IsRefused() =>
        Assert.That(SysfsCpuSet.TryMask(string.Join(',', Enumerable.Repeat("0", 257)), out _), Is.False);

    [TestCase("", 0)]
    [TestCase("0-7,16", 9)]
    [TestCase("8191", 1)]
    public void TryList_List_CountsItsCpus(string text, int count)
    {
        Assert.That(SysfsCpuSet.TryList(text, out SysfsCpuSet set), Is.True);
        Assert.That(set.Count, Is.EqualTo(count));
    }

    [TestCase("7-0")]
    [TestCase("8192")]
    [TestCase("x")]
    [TestCase("1-")]
    public void TryList_NoList_IsRefused(string text) => Assert.That(SysfsCpuSet.TryList(text, out _), Is.False);

    [Test]
    public void IsWithin_MaskAndList_Agree()
    {
        SysfsCpuSet.TryMask("f0", out SysfsCpuSet mask);
        SysfsCpuSet.TryList("4-9", out SysfsCpuSet list);

        Assert.Multiple(() =>
        {
            Assert.That(mask.IsWithin(list), Is.True);
            Assert.That(list.IsWithin(mask), Is.False);
            Assert.That(mask.Contains(4), Is.True);
            Assert.That(mask.Contains(-1), Is.False);
        });
    }
}
