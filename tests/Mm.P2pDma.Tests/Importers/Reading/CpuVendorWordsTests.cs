using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class CpuVendorWordsTests
{
    [TestCase("GenuineIntel", CpuVendor.Intel)]
    [TestCase("AuthenticAMD", CpuVendor.Amd)]
    [TestCase("HygonGenuine", CpuVendor.Hygon)]
    [TestCase("CentaurHauls", CpuVendor.Zhaoxin)]
    [TestCase("  Shanghai  ", CpuVendor.Zhaoxin)]
    [TestCase("genuineintel", CpuVendor.Other)]
    [TestCase("", CpuVendor.Other)]
    public void OfX86Vendor_String_IsItsVendor(string text, CpuVendor expected) =>
        Assert.That(CpuVendorWords.OfX86Vendor(text), Is.EqualTo(expected));

    [TestCase("ppc64le", CpuVendor.Ibm)]
    [TestCase("ppc64", CpuVendor.Ibm)]
    [TestCase("aarch64", CpuVendor.Arm)]
    [TestCase("armv7l", CpuVendor.Arm)]
    [TestCase("riscv64", CpuVendor.Other)]
    public void OfArchitecture_Name_IsItsVendor(string text, CpuVendor expected) =>
        Assert.That(CpuVendorWords.OfArchitecture(text), Is.EqualTo(expected));
}
