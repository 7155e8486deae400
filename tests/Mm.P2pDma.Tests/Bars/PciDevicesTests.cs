using Mm.Core;
using Mm.P2pDma.Bars;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Bars;

public sealed class PciDevicesTests
{
    [Test]
    public void Constructor_EveryFunction_IsADeviceNamedByItsPlace()
    {
        using var rig = new PciRig();
        Assert.That(rig.System.Devices.Count, Is.EqualTo(9));
        Assert.That(rig.Machine.DeviceName(rig.Id(Gpu)), Is.EqualTo("0000:03:00.0"));
        Assert.That(rig.System.Devices.TryFind(rig.Id(Gpu), out PciDevice? device) && device.Place == Gpu, Is.True);
    }

    [TestCase(0, 0)]
    [TestCase(2, 6, Description = "ENXIO: the size is not known")]
    [TestCase(4, 16, Description = "EBUSY: RAM lies there")]
    public void Windows_MemoryBars_AreInTheAddressMapOrSayWhyNot(int bar, int errno)
    {
        using var rig = new PciRig();
        _ = rig.System.Devices.TryFind(Gpu, out PciDevice? device);
        Assert.That(device!.TryGetWindow(bar, out BarWindow window), Is.True);
        Assert.That((window.Refusal.Number, window.Region is null), Is.EqualTo((errno, errno != 0)));
    }

    [Test]
    public void Windows_PortBar_IsNone()
    {
        using var rig = new PciRig();
        _ = rig.System.Devices.TryFind(Gpu, out PciDevice? device);
        Assert.That(device!.TryGetWindow(1, out _), Is.False);
    }

    [Test]
    public void BusOffset_TranslatingHost_IsBusMinusPhysicalModulo64Bits()
    {
        using var rig = new PciRig();
        _ = rig.System.Devices.TryFind(Nvme, out PciDevice? device);
        Assert.That(device!.Windows[0].BusOffset.Value, Is.EqualTo(unchecked(0UL - (BusOffset / 16))));
    }

    [Test]
    public void Remove_Function_TakesItsWindowsOutAndKeepsItsIdentityUnused()
    {
        using var rig = new PciRig();
        DeviceId before = rig.Id(Gpu);
        rig.System.TryRemove(Gpu, out _).ThrowIfError();
        Assert.That(rig.Machine.AddressMap.TryFind(GpuBar.Start, out _), Is.False);
        Assert.That(rig.System.Devices.TryFind(before, out _), Is.False);
        rig.System.TryAdd(GpuFunction, out _).ThrowIfError();
        Assert.That(rig.Id(Gpu), Is.Not.EqualTo(before));
        Assert.That(rig.Machine.AddressMap.TryFind(GpuBar.Start, out _), Is.True);
    }

    [Test]
    public void Refresh_EditedBehindItsBack_TakesOver()
    {
        using var rig = new PciRig();
        rig.System.Topology.TryRemove(NicPort, out _).ThrowIfError();
        rig.System.Refresh();
        Assert.That(rig.System.Devices.TryFind(Nic, out _), Is.False, "the NIC hangs below the port");
    }
}
