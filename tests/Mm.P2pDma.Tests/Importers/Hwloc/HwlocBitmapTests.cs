using Mm.Core;
using Mm.P2pDma.Importers.Hwloc;

namespace Mm.P2pDma.Tests.Importers.Hwloc;

public sealed class HwlocBitmapTests
{
    [TestCase("0x00000003", new[] { 0, 1 })]
    [TestCase("0x0", new int[0])]
    [TestCase("0x00000303,0x03030000,,0x1", new[] { 0, 80, 81, 88, 89, 96, 97, 104, 105 })]
    [TestCase("0x80000000,,,,,,,0x00000100", new[] { 8, 255 })]
    [TestCase("0xf...f,0x1", new int[0])]
    public void TryNodes_Bitmap_GivesItsNodes(string text, int[] expected)
    {
        Assert.That(HwlocBitmap.TryNodes(text, out List<NodeId> nodes), Is.True);
        Assert.That(nodes.Select(node => node.Index), Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase("3")]
    [TestCase("0x100000000")]
    [TestCase("0x1;0x2")]
    [TestCase("0x")]
    public void TryNodes_Otherwise_IsRefused(string text) => Assert.That(HwlocBitmap.TryNodes(text, out _), Is.False);

    [Test]
    public void TryNodes_NodeAboveTheLargest_IsRefused() =>
        Assert.That(HwlocBitmap.TryNodes("0x1" + string.Concat(Enumerable.Repeat(",0x0", 32)), out _), Is.False);

    [Test]
    public void TryAny_EndlessListOfWords_IsRefused() =>
        Assert.That(HwlocBitmap.TryAny("0x1" + new string(',', 256), out _), Is.False);

    [TestCase("0x0,,0x0", false)]
    [TestCase("0x0,0x1", true)]
    [TestCase("0xf...f", true)]
    public void TryAny_Bitmap_SaysWhetherABitIsOn(string text, bool expected)
    {
        Assert.That(HwlocBitmap.TryAny(text, out bool any), Is.True);
        Assert.That(any, Is.EqualTo(expected));
    }
}
