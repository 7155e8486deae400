using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Routing;

public sealed class P2pRulesTests
{
    [TestCase(6, 1, "Linux 6.12")]
    [TestCase(6, 12, "Linux 6.12")]
    [TestCase(6, 18, "Linux 6.12")]
    [TestCase(6, 19, "Linux 6.19")]
    [TestCase(7, 0, "Linux after 6.19")]
    public void ForVersion_Any_IsTheNewestThatIsNotNewer(int major, int minor, string name)
    {
        Assert.That(P2pRules.ForVersion(new Version(major, minor)).Name, Is.EqualTo(name));
    }

    [Test]
    public void Find_GoogleSocs_AreListedByVendorFrom619On()
    {
        var google = new PciId(0x1ae0, 0x1234);

        Assert.That(P2pRules.Linux612.Find(google), Is.Null);
        Assert.That(P2pRules.Linux619.Find(google)!.ToString(), Is.EqualTo("1ae0:any (Google SoC)"));
        Assert.That(P2pRules.Latest.Find(google), Is.Not.Null);
    }

    [Test]
    public void Find_SapphireRapidsDsa_IsListedInTheLatestOnly()
    {
        var dsa = new PciId(0x8086, 0x0b25);

        Assert.That(P2pRules.Linux612.Find(dsa), Is.Null);
        Assert.That(P2pRules.Linux619.Find(dsa), Is.Null);
        Assert.That(P2pRules.Latest.Find(dsa)!.RequiresSameHostBridge, Is.False);
    }

    [Test]
    public void AllowList_Linux612_HasTenEntriesOfWhichFourNeedOneBridge()
    {
        Assert.That(P2pRules.Linux612.AllowList, Has.Count.EqualTo(10));
        Assert.That(P2pRules.Linux612.AllowList.Count(entry => entry.RequiresSameHostBridge), Is.EqualTo(4));
    }

    [Test]
    public void CpuCarriesPeerTraffic_FamilyNotKnown_IsNotKnown()
    {
        Assert.That(P2pRules.Linux612.CpuCarriesPeerTraffic(new CpuIdentity(CpuVendor.Amd, null, null)), Is.Null);
        Assert.That(P2pRules.Linux612.CpuCarriesPeerTraffic(CpuIdentity.Unknown), Is.Null);
        Assert.That(P2pRules.Linux612.CpuCarriesPeerTraffic(new CpuIdentity(CpuVendor.Arm, null, null)), Is.False);
    }
}
