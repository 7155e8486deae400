using Mm.Core;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class CpuPageBytesTests
{
    [Test]
    public void TryLease_OfRam_GivesThePage()
    {
        using var rig = new CopyRig();
        rig.Fill(rig.Ram(1), 7);
        rig.Cpu.TryLease(rig.Ram(1), PageSize.Small, out SpanLease lease).ThrowIfError();
        Assert.That((lease.Length, lease.Bytes[4095]), Is.EqualTo((ByteCount.FromKiB(4), (byte)7)));
        lease.Dispose();
    }

    [Test]
    public void TryLease_OfPrivateMemory_IsENXIO()
    {
        using var rig = new CopyRig();
        var cpu = new CpuPageBytes(rig.Machine);
        Assert.That(cpu.TryLease(rig.Private(0), PageSize.Small, out _), Is.EqualTo(Errno.ENXIO));
    }
}
