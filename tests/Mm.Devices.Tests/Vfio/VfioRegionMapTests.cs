using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Vfio;

namespace Mm.Devices.Tests.Vfio;

internal sealed class VfioRegionMapTests
{
    // V3.
    [Test]
    public void Access_WhileNotDecoding_IsABusErrorUntilItDecodesAgain()
    {
        using var rig = new VfioRig();
        using VfioRegionMap map = Map(rig, 4096, 8192);
        Assert.That(map.Write(new ByteCount(4000), "bytes over a page"u8), Is.EqualTo(FaultResult.Done));
        rig.Device.TrySetDecoding(isOn: false).ThrowIfError();
        byte[] back = new byte[17];
        Assert.That((map.Read(default, back), map.Write(default, back)), Is.EqualTo((FaultResult.BusError, FaultResult.BusError)));
        rig.Device.TrySetDecoding(isOn: true).ThrowIfError();

        Assert.That(map.Read(new ByteCount(4000), back), Is.EqualTo(FaultResult.Done));
        Assert.That(back, Is.EqualTo("bytes over a page"u8.ToArray()));
    }

    [Test]
    public void Access_OutsideOrUnmapped_IsASegmentationFault()
    {
        using var rig = new VfioRig();
        VfioRegionMap map = Map(rig, 0, 4096);
        Assert.That(map.Read(new ByteCount(4095), new byte[2]), Is.EqualTo(FaultResult.SegmentationFault));
        Assert.That(map.Read(new ByteCount(4095), new byte[1]), Is.EqualTo(FaultResult.Done));
        Assert.That(map.Length, Is.EqualTo(new ByteCount(4096)));
        map.Dispose();
        map.Dispose();
        Assert.That(map.Read(default, new byte[1]), Is.EqualTo(FaultResult.SegmentationFault));
    }

    [TestCase(VfioRegion.Bar1, 0UL, 4096UL, false, TestName = "private")]
    [TestCase(VfioRegion.Bar1, 100UL, 4096UL, true, TestName = "not on a page")]
    [TestCase(VfioRegion.Bar1, 0UL, 100UL, true, TestName = "not of pages")]
    [TestCase(VfioRegion.Bar1, 0UL, 0UL, true, TestName = "empty")]
    [TestCase(VfioRegion.Bar2, 0UL, 4096UL, true, TestName = "no such BAR")]
    [TestCase(VfioRegion.Config, 0UL, 4096UL, true, TestName = "configuration space")]
    [TestCase(VfioRegion.Bar3, 33554432UL, 4096UL, true, TestName = "past the BAR")]
    [TestCase(VfioRegion.Bar3, 33550336UL, 8192UL, true, TestName = "over the BAR's end")]
    public void Map_WhatMayNotBe_IsEinval(VfioRegion region, ulong offset, ulong length, bool isShared)
    {
        using var rig = new VfioRig();

        Assert.That(rig.Device.TryMap(region, new ByteCount(offset), new ByteCount(length), isShared, out _), Is.EqualTo(Errno.EINVAL));
    }

    private static VfioRegionMap Map(VfioRig rig, ulong offset, ulong length)
    {
        rig.Device.TryMap(VfioRegion.Bar1, new ByteCount(offset), new ByteCount(length), isShared: true, out VfioRegionMap? map).ThrowIfError();
        return map!;
    }
}
