using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class PinAccountTests
{
    [Test]
    public void Map_WithinTheLimit_ChargesEachPageOnce()
    {
        var account = new PinAccount(new PageCount(8));
        using (var rig = new IommufdRig(domains: 2, account))
        {
            rig.MapAt(ApertureStart, 0, 8 * Page);
            rig.Space.TryCopyAt(
                new DmaAddr(ApertureStart + (8 * Page)), rig.Space, new DmaAddr(ApertureStart), new ByteCount(4 * Page), IoAccess.Read)
                .ThrowIfError();

            Assert.That(account.Locked.Value, Is.EqualTo(8));
            rig.Unmap(ApertureStart, 8 * Page);
            Assert.That(account.Locked.Value, Is.EqualTo(4), "the copy's");
        }

        Assert.That(account.Locked.Value, Is.Zero);
    }

    [Test]
    public void Map_OverTheLimit_IsRefusedAndUndone()
    {
        var account = new PinAccount(new PageCount(8));
        using var rig = new IommufdRig(domains: 1, account);
        rig.MapAt(ApertureStart, 0, 5 * Page);

        Assert.That(rig.TryMapAt(ApertureStart + (5 * Page), 5 * Page, 4 * Page), Is.EqualTo(Errno.ENOMEM));
        Assert.That((account.Locked.Value, rig.Space.AreaCount), Is.EqualTo((5UL, 1)));
        rig.CheckPins(5, 4, 0);
        Assert.That(rig.TryMapAt(ApertureStart + (5 * Page), 5 * Page, 3 * Page), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Access_OverTheLimit_IsRefused()
    {
        var account = new PinAccount(new PageCount(2));
        using var rig = new IommufdRig(account: account);
        rig.MapAt(ApertureStart, 0, 4 * Page);
        using SpaceAccess access = rig.OpenAccess(new PinKeeper());

        Assert.That(access.TryPin(new DmaAddr(ApertureStart), new ByteCount(3 * Page), isWrite: false, out _), Is.EqualTo(Errno.ENOMEM));
        var bytes = new byte[4 * Page];
        Assert.That(access.TryRead(new DmaAddr(ApertureStart), bytes, AccessPath.OfPages), Is.EqualTo(Errno.Ok), "ends at once, and is free");
        Assert.That(account.Locked.Value, Is.Zero);
    }
}
