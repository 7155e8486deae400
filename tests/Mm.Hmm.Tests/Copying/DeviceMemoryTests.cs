using Mm.Core;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class DeviceMemoryTests
{
    [Test]
    public void TryLease_OfItsOwnPages_GivesEachItsBytes()
    {
        using var rig = new CopyRig();
        rig.Fill(rig.Private(0), 1);
        rig.Fill(rig.Private(1), 2);
        rig.Fill(rig.Private(512), 3, PageSize.Large);
        Assert.That((rig.Holds(rig.Private(0), 1), rig.Holds(rig.Private(1), 2), rig.Holds(rig.Private(512), 3, PageSize.Large)), Is.EqualTo((true, true, true)));
    }

    [Test]
    public void TryLease_OfRam_GivesTheBytesThatTheCpuSees()
    {
        using var rig = new CopyRig();
        rig.Fill(rig.Ram(3), 9);
        rig.Cpu.TryLease(rig.Ram(3), PageSize.Small, out SpanLease lease).ThrowIfError();
        Assert.That(lease.Bytes.ContainsAnyExcept((byte)9), Is.False);
        lease.Dispose();
    }

    [Test]
    public void TryLease_OfAPageHalfInside_IsENXIO()
    {
        using var rig = new CopyRig();
        using var odd = new DeviceMemory(
            new PfnRange(rig.Private(0), new PageCount(100)), rig.Machine.CreateDeviceMemory(new PageCount(100).ToBytes()), rig.Cpu);
        Assert.That(odd.TryLease(rig.Private(0), PageSize.Large, out _), Is.EqualTo(Errno.ENXIO));
    }

    [Test]
    public void TryLease_AfterItsEnd_IsENXIOForItsOwnPagesOnly()
    {
        using var rig = new CopyRig();
        rig.Device.TryLease(rig.Private(0), PageSize.Small, out SpanLease open).ThrowIfError();
        rig.Device.Dispose();
        open.Bytes.Fill(1); // a lease that was open stays good
        open.Dispose();
        Assert.That(rig.Device.TryLease(rig.Private(0), PageSize.Small, out _), Is.EqualTo(Errno.ENXIO));
        Assert.That(rig.Device.TryLease(rig.Ram(0), PageSize.Small, out SpanLease ram), Is.EqualTo(Errno.Ok));
        ram.Dispose();
    }

    [Test]
    public void Constructor_WithTooFewBytes_Throws()
    {
        using var rig = new CopyRig();
        using NativeRegion bytes = rig.Machine.CreateDeviceMemory(ByteCount.FromKiB(4));
        Assert.That(
            () => new DeviceMemory(new PfnRange(rig.Private(0), new PageCount(2)), bytes, rig.Cpu),
            Throws.ArgumentException.With.Message.Contains("2 pages"));
    }
}
