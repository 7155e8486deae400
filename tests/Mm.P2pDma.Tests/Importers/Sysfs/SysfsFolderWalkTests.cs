using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

[Platform("Linux")]
public sealed class SysfsFolderWalkTests
{
    // /proc/cpuinfo has no length and yet contents: what has no length is passed over everywhere but there.
    [Test]
    public void Gather_RootOfTheRunningSystem_ReadsWhatTheKernelMakesUp()
    {
        Assume.That(File.Exists("/proc/cpuinfo") && new FileInfo("/proc/cpuinfo").Length == 0, "this system has no /proc of the kernel's");
        SysfsTree tree;
        try
        {
            tree = new SysfsFolderWalk(new ImportLog("/", ImportLimits.Default)).Gather(new DirectoryInfo("/"));
        }
        catch (Exception exception) when (exception is ImportRefusedException or IOException or UnauthorizedAccessException)
        {
            Assert.Ignore($"the running system changes, or is larger than the limits: {exception.Message}");
            return;
        }

        Assert.That(tree.Files["proc/cpuinfo"], Is.Not.Empty);
    }
}
