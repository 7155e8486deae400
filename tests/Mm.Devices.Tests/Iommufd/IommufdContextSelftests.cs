using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>
/// The tests of fixture iommufd (tools/testing/selftests/iommu/iommufd.c, v6.12) that are of more than the shape of a
/// system call, under their names. Left out with cmd_fail, cmd_length, cmd_ex_fail, simple_ioctls, info_cmd, set_iommu_cmd,
/// vfio_ioas and the fixture vfio_compat_mock_domain: Mm has no ioctls and no type1 compatibility.
/// </summary>
internal sealed class IommufdContextSelftests
{
    [Test]
    public void simple_close()
    {
        using var rig = new IommufdRig();
        rig.Context.Dispose();
        Assert.That(rig.Context.SpaceCount, Is.Zero);
    }

    [Test]
    public void global_options()
    {
        using var rig = new IommufdRig();
        var account = new PinAccount(new PageCount(1));
        Assert.That(rig.Context.TrySetAccount(account), Is.EqualTo(Errno.EBUSY), "while there is a space");
        rig.Space.TryDestroy().ThrowIfError();
        Assert.That(rig.Context.TrySetAccount(account), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Context.TrySetAccount(payer: null), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void unmap_cmd()
    {
        using var rig = new IommufdRig();
        Assert.That(rig.TryUnmap(Page, 0, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.TryUnmap(Page, ulong.MaxValue - Page, out _), Is.EqualTo(Errno.ENOENT), "up to the top");
        Assert.That(rig.TryUnmap(Page, ulong.MaxValue - Page + 2, out _), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(rig.TryUnmap(ulong.MaxValue, Page, out _), Is.EqualTo(Errno.EOVERFLOW));
    }

    [Test]
    public void map_cmd()
    {
        using var rig = new IommufdRig();
        Assert.That(rig.TryMapAt(ulong.MaxValue, 0, Page), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(rig.TryMapAt(Page, 0, ulong.MaxValue), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(rig.TryMapAt(Page, 0, ulong.MaxValue - Page), Is.EqualTo(Errno.EOVERFLOW), "the user's addresses end");
        Assert.That(rig.TryMapAt(Page, 0, 0), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.TryMapAt(Page, 0, Page, IoAccess.None), Is.EqualTo(Errno.EINVAL));
    }
}
