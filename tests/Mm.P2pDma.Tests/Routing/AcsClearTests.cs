using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Routing;

public sealed class AcsClearTests
{
    private const AcsBits Redirects = AcsBits.RequestRedirect | AcsBits.CompletionRedirect;

    private static PciFunction Port(AcsControl acs) => new() { Address = PciAddress.Parse("0000:3b:00.0"), Acs = acs };

    [Test]
    public void ToSetPci_KnownRegister_WritesWhatIsLeft()
    {
        var clear = new AcsClear(Port(AcsControl.Of((AcsBits)0x1d)), Redirects);

        Assert.That(clear.ToSetPci(), Is.EqualTo("setpci -s 0000:3b:00.0 ECAP_ACS+6.w=0011"));
    }

    [Test]
    public void ToSetPci_UnknownRegister_ClearsByMask()
    {
        var clear = new AcsClear(Port(AcsControl.Unknown), Redirects);

        Assert.That(clear.ToSetPci(), Is.EqualTo("setpci -s 0000:3b:00.0 ECAP_ACS+6.w=0000:000c"));
    }

    [Test]
    public void ToString_Bits_AreNamed()
    {
        Assert.That(new AcsClear(Port(AcsControl.Unknown), Redirects).ToString(), Is.EqualTo("0000:3b:00.0 clear RR+CR"));
    }
}
