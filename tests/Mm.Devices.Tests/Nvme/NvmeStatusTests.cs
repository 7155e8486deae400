using Mm.Core;
using Mm.Devices.Nvme;

namespace Mm.Devices.Tests.Nvme;

internal sealed class NvmeStatusTests
{
    // nvme_error_status, then blk_status_to_errno.
    [TestCase(0x000, "ok")]
    [TestCase(0x080, "EREMOTEIO")]
    [TestCase(0x001, "EOPNOTSUPP")]
    [TestCase(0x002, "EOPNOTSUPP")]
    [TestCase(0x00b, "EOPNOTSUPP")]
    [TestCase(0x280, "ENODATA")]
    [TestCase(0x281, "ENODATA")]
    [TestCase(0x004, "EIO")]
    [TestCase(0x013, "EIO")]
    [TestCase(0x371, "EIO")]
    public void Status_Each_IsToldAsTheBlockLayerTellsIt(int value, string errno)
    {
        Assert.That(new NvmeStatus((ushort)value).ToErrno().ToString(), Is.EqualTo(errno));
    }

    [Test]
    public void Default_IsSuccess()
    {
        Assert.That((default(NvmeStatus).IsSuccess, default(NvmeStatus).ToErrno()), Is.EqualTo((true, Errno.Ok)));
        Assert.That(NvmeStatus.PrpInvalidOffset.ToString(), Is.EqualTo("invalid PRP offset (0x013)"));
    }
}
