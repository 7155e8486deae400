using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class SysfsPortsTests
{
    private static readonly PciAddress Root = PciAddress.Parse("00:01.0");
    private static readonly PciAddress Upper = PciAddress.Parse("01:00.0");
    private static readonly PciAddress Lower = PciAddress.Parse("02:00.0");

    private static Dictionary<PciAddress, PciPortType> Infer(string? service, string? driver)
    {
        SysfsDevice[] devices = [Device("p/r/u/l", Lower), Device("p/r", Root), Device("p/r/u", Upper)];
        return new SysfsPorts(new ImportLog("t", ImportLimits.Default))
            .Infer(devices, device => new PciFunction
            {
                Address = device.Address,
                Class = PciClass.PciBridge,
                HostBridge = device.Address == Root ? new PciBusId(0, 0) : null,
                Parent = device.Address == Upper ? Root : device.Address == Lower ? Upper : null,
            })
            .ToDictionary(function => function.Address, function => function.PortType);

        SysfsDevice Device(string path, PciAddress address) => new(path, address) { PortService = service, Driver = driver };
    }

    [Test]
    public void Infer_DriverOnly_GoesByPlace()
    {
        Dictionary<PciAddress, PciPortType> types = Infer(null, "pcieport");

        Assert.That(
            new[] { types[Root], types[Upper], types[Lower] },
            Is.EqualTo(new[] { PciPortType.RootPort, PciPortType.SwitchUpstream, PciPortType.SwitchDownstream }));
    }

    [TestCase("pcie001", PciPortType.RootPort)]
    [TestCase("pcie01", PciPortType.RootPort)]
    [TestCase("pcie104", PciPortType.SwitchUpstream)]
    [TestCase("pcie204", PciPortType.SwitchDownstream)]
    [TestCase("pcieffffffc1", PciPortType.RootPort)]
    public void Infer_Service_NamesTheType(string service, PciPortType expected) =>
        Assert.That(Infer(service, "pcieport")[Root], Is.EqualTo(expected));

    [Test]
    public void Infer_NoPortDriver_StaysUnknown() => Assert.That(Infer(null, "shpchp").Values, Is.All.EqualTo(PciPortType.Unknown));
}
