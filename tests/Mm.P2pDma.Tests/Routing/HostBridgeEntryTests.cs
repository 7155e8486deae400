using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Routing;

public sealed class HostBridgeEntryTests
{
    private static readonly HostBridgeEntry OneDevice = new(0x8086, 0x3c00, RequiresSameHostBridge: true, "Xeon E5");
    private static readonly HostBridgeEntry WholeVendor = new(0x1234, null, RequiresSameHostBridge: false, "all of them");

    [TestCase((ushort)0x8086, (ushort)0x3c00, ExpectedResult = true)]
    [TestCase((ushort)0x8086, (ushort)0x3c01, ExpectedResult = false)]
    [TestCase((ushort)0x8087, (ushort)0x3c00, ExpectedResult = false)]
    public bool Matches_EntryOfOneDevice_WantsBothIds(ushort vendor, ushort device) => OneDevice.Matches(new PciId(vendor, device));

    [TestCase((ushort)0x1234, (ushort)0, ExpectedResult = true)]
    [TestCase((ushort)0x1234, (ushort)0xffff, ExpectedResult = true)]
    [TestCase((ushort)0x4321, (ushort)0, ExpectedResult = false)]
    public bool Matches_EntryOfAVendor_TakesEachDevice(ushort vendor, ushort device) => WholeVendor.Matches(new PciId(vendor, device));

    [Test]
    public void ToString_SaysIdentityHardwareAndCondition()
    {
        Assert.That(OneDevice.ToString(), Is.EqualTo("8086:3c00 (Xeon E5, same host bridge only)"));
        Assert.That(WholeVendor.ToString(), Is.EqualTo("1234:any (all of them)"));
    }
}
