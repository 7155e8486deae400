using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Topologies;

public sealed class PciAddressTests
{
    [TestCase("0000:3b:00.1", "0000:3b:00.1")]
    [TestCase("3b:1f.7", "0000:3b:1f.7")]
    [TestCase("10000:e0:05.0", "10000:e0:05.0")]
    [TestCase("fffffff:ff:1f.0", "fffffff:ff:1f.0")]
    [TestCase("00000000:07:00.0", "0000:07:00.0")]
    [TestCase("ffff:FF:01.0", "ffff:ff:01.0")]
    public void Parse_Address_PrintsAsLinuxDoes(string text, string printed)
    {
        Assert.That(PciAddress.Parse(text).ToString(), Is.EqualTo(printed));
    }

    [TestCase("")]
    [TestCase("3b:00")]
    [TestCase("0000:3b:20.0")]
    [TestCase("0000:3b:00.8")]
    [TestCase("0000:3bb:00.0")]
    [TestCase("123456789:00:00.0")]
    [TestCase("0000:3b:00.0 ")]
    [TestCase(" 0000:3b:00.0")]
    [TestCase("+1:3b:00.0")]
    [TestCase("0x1:3b:00.0")]
    [TestCase("0000:3b:-1.0")]
    [TestCase("::.")]
    [TestCase("0000:0000:00:00.0")]
    public void TryParse_AnythingElse_IsRefused(string text)
    {
        Assert.That(PciAddress.TryParse(text, out PciAddress address), Is.False);
        Assert.That(address, Is.EqualTo(default(PciAddress)));
        Assert.That(() => PciAddress.Parse(text), Throws.TypeOf<FormatException>());
    }

    [TestCase(256, 0, 0)]
    [TestCase(-1, 0, 0)]
    [TestCase(0, 32, 0)]
    [TestCase(0, 0, 8)]
    public void Create_PartOutOfRange_IsTheCallersMistake(int bus, int device, int function)
    {
        Assert.That(() => new PciAddress(0, bus, device, function), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void CompareTo_Any_OrdersByDomainBusDeviceFunction()
    {
        PciAddress[] sorted =
        [
            PciAddress.Parse("0000:00:00.0"), PciAddress.Parse("0000:00:00.7"), PciAddress.Parse("0000:00:01.0"),
            PciAddress.Parse("0000:ff:00.0"), PciAddress.Parse("0001:00:00.0"), PciAddress.Parse("ffffffff:00:00.0"),
        ];

        Assert.That(sorted.Reverse().Order(), Is.EqualTo(sorted));
        Assert.That(sorted[0] < sorted[1] && sorted[1] <= sorted[1] && sorted[5] > sorted[4] && sorted[5] >= sorted[5]);
    }

    [FsCheck.NUnit.Property]
    public void Parse_Printed_IsTheSame(uint domain, byte bus, byte devfn)
    {
        var address = new PciAddress(domain, bus, devfn >> 3, devfn & 7);

        Assert.That(PciAddress.Parse(address.ToString()), Is.EqualTo(address));
        Assert.That(address.IsDeviceZero, Is.EqualTo(devfn == 0));
    }
}
