using System.Text;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SysfsCpuTests
{
    private readonly ImportLog log = new("f", ImportLimits.Default);

    [TestCase("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n", CpuVendor.Amd, 25, 17)]
    [TestCase("vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R)\n", CpuVendor.Intel, 6, 85)]
    [TestCase("vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\nvendor_id\t: AuthenticAMD\n", CpuVendor.Intel, 6, 85)]
    [TestCase("vendor_id\t: HygonGenuine\ncpu family\t: 24\n", CpuVendor.Hygon, 24, null)]
    [TestCase("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n", CpuVendor.Ibm, null, null)]
    [TestCase("processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n", CpuVendor.Arm, null, null)]
    [TestCase("nothing of use", CpuVendor.Unknown, null, null)]
    public void Identify_FirstCpu_Tells(string text, CpuVendor vendor, int? family, int? model)
    {
        Assert.That(Identify(text), Is.EqualTo(new CpuIdentity(vendor, family, model)));
        Assert.That(log.HasErrors, Is.False);
    }

    [TestCase("vendor_id\t: GenuineIntel\ncpu family\t: six\n", "f!proc/cpuinfo:2:14: not a number: found \"six\"")]
    [TestCase("vendor_id\t: GenuineIntel\nmodel\t: 65536\n", "f!proc/cpuinfo:2:9: not a number: found \"65536\"")]
    [TestCase("vendor_id\t: GenuineIntel\nmodel\t: -1\n", "f!proc/cpuinfo:2:9: not a number: found \"-1\"")]
    public void Identify_BadNumber_IsAnErrorWithItsPlace(string text, string expected)
    {
        _ = Identify(text);

        Assert.That(log.Finish("x", () => null).Errors[0].ToString(), Does.StartWith(expected));
    }

    [TestCase(null)]
    [TestCase("")]
    public void Identify_NoFile_IsUnknownAndNoted(string? text)
    {
        Assert.That(Identify(text), Is.EqualTo(CpuIdentity.Unknown));
        Assert.That(log.Refuse("x", new ImportError(log.At(0, 0), "the end", "", "")).Notes.Single().Text, Does.StartWith("there is no proc/cpuinfo"));
    }

    [Test]
    public void Identify_VendorAfterTheFirstLines_StaysUnknown() =>
        Assert.That(Identify(string.Concat(Enumerable.Repeat("flags\t: fpu\n", 64)) + "vendor_id\t: GenuineIntel\n").Vendor, Is.EqualTo(CpuVendor.Unknown));

    private CpuIdentity Identify(string? text)
    {
        var tree = new SysfsTree(log);
        if (text is not null)
        {
            tree.AddFile(["proc", "cpuinfo"], Encoding.UTF8.GetBytes(text));
        }

        return SysfsCpu.Identify(tree, log);
    }
}
