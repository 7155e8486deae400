using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

internal sealed class RegionTableTests
{
    [TestCase(0UL, 300UL, "100+100 500+200")]
    [TestCase(50UL, 100UL, "150+50 500+50")]
    [TestCase(100UL, 200UL, "500+200")]
    [TestCase(120UL, 10UL, "520+10")]
    [TestCase(0UL, 100UL, "100+100")]
    public void Table_OfAWindow_HasItsBytesAlone(ulong offset, ulong length, string expected)
    {
        DmaSegment[] all =
        [
            new(new DmaAddr(100), new ByteCount(100), IsBusAddress: false), new(new DmaAddr(500), new ByteCount(200), IsBusAddress: true),
        ];
        DmaSegment[] before = [.. all];
        RegionTable table = RegionTable.Of(all, new ByteCount(offset), new ByteCount(length));

        Assert.That(string.Join(' ', table.Segments.ToArray().Select(static each => $"{each.Address.Value}+{each.Length.Value}")), Is.EqualTo(expected));
        Assert.That(all, Is.EqualTo(before), "the mapping's own list is not changed");
    }
}
