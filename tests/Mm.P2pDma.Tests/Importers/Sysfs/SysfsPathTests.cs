using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class SysfsPathTests
{
    [TestCase("a/b", "a,b")]
    [TestCase("./a//b/./", "a,b")]
    [TestCase("", "")]
    public void TrySplit_Relative_GivesItsParts(string name, string expected)
    {
        Assert.That(SysfsPath.TrySplit(name, out string[] parts), Is.True);
        Assert.That(string.Join(',', parts), Is.EqualTo(expected));
    }

    [TestCase("/a")]
    [TestCase("a/../b")]
    [TestCase("..")]
    public void TrySplit_NameThatLeaves_IsRefused(string name) => Assert.That(SysfsPath.TrySplit(name, out _), Is.False);

    [Test]
    public void TrySplit_LongName_IsRefused() => Assert.That(SysfsPath.TrySplit(new string('a', 4097), out _), Is.False);

    [TestCase("../../c", "c")]
    [TestCase("./c/../d", "a/b/d")]
    [TestCase("c", "a/b/c")]
    public void TryResolve_InsideLink_GivesThePath(string target, string expected)
    {
        Assert.That(SysfsPath.TryResolve(["a", "b"], target, out string path), Is.True);
        Assert.That(path, Is.EqualTo(expected));
    }

    [TestCase("../../../c")]
    [TestCase("/c")]
    [TestCase("")]
    public void TryResolve_LinkThatLeaves_IsRefused(string target) => Assert.That(SysfsPath.TryResolve(["a", "b"], target, out _), Is.False);

    [TestCase("0000:3b:00.0", true)]
    [TestCase("10000:3b:00.0", true)]
    [TestCase("3b:00.0", false)]
    [TestCase("0000:3B:00.0", false)]
    [TestCase("4:0:0:0", false)]
    public void TryAddress_KernelsForm_Only(string part, bool expected) =>
        Assert.That(SysfsPath.TryAddress(part, out _), Is.EqualTo(expected));

    [TestCase("pci0000:40", true)]
    [TestCase("pci10000:e0", true)]
    [TestCase("pcieport", false)]
    [TestCase("platform", false)]
    public void TryRootBus_HostBridgesFolder_Only(string part, bool expected)
    {
        Assert.That(SysfsPath.TryRootBus(part, out PciBusId bus), Is.EqualTo(expected));
        Assert.That(bus == default, Is.EqualTo(!expected));
    }
}
