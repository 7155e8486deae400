using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class SysfsOsNamesTests
{
    [TestCase("net/ib0", "ib0 Network")]
    [TestCase("net/ib0/queues/rx-0", "ib0 Network")]
    [TestCase("infiniband/mlx5_0", "mlx5_0 Rdma")]
    [TestCase("host4/target4:0:0/4:0:0:0/block/sda/sda1", "sda Block")]
    [TestCase("drm/card0/card0-DP-1", "card0 Gpu")]
    [TestCase("mic/mic0", "mic0 CoProcessor")]
    [TestCase("dma/dma0chan0", "dma0chan0 DmaEngine")]
    [TestCase("nvme/nvme0/nvme0n1/nvme0n1p1", "nvme0 Other,nvme0n1 Block")]
    [TestCase("nvme/nvme0/ng0n1", "nvme0 Other")]
    [TestCase("net", "")]
    [TestCase("power/control", "")]
    [TestCase("", "")]
    public void Note_Path_TellsNames(string below, string expected)
    {
        SysfsDevice device = Device();

        SysfsOsNames.Note(device, below.Length == 0 ? [] : below.Split('/'));

        Assert.That(string.Join(',', device.OsDevices.Select(name => $"{name.Name} {name.Kind}")), Is.EqualTo(expected));
    }

    [Test]
    public void Note_PortService_IsNoName()
    {
        SysfsDevice device = Device();

        SysfsOsNames.Note(device, ["0000:01:00.0:pcie002", "net", "eth0"]);
        SysfsOsNames.Note(device, ["0000:01:00.0:pcie004"]);

        Assert.Multiple(() =>
        {
            Assert.That(device.PortService, Is.EqualTo("pcie002"), "the first stands");
            Assert.That(device.OsDevices, Is.Empty);
        });
    }

    // A hostile tree may hold any number of names, each any number of times.
    [FsCheck.NUnit.Property(MaxTest = 50)]
    public void Note_AnyNames_KeepsEachOnceAndNotTooMany(int[] names)
    {
        SysfsDevice device = Device();
        foreach (int name in names.Concat(Enumerable.Range(0, 300)))
        {
            SysfsOsNames.Note(device, ["net", $"eth{name}"]);
        }

        Assert.Multiple(() =>
        {
            Assert.That(device.OsDevices.Select(device => device.Name), Is.Unique);
            Assert.That(device.OsDevices, Has.Count.EqualTo(256));
        });
    }

    private static SysfsDevice Device() => new("sys/devices/pci0000:00/0000:01:00.0", PciAddress.Parse("0000:01:00.0"));
}
