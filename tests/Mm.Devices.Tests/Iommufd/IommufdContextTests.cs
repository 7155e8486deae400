using Mm.Core;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class IommufdContextTests
{
    [Test]
    public void Dispose_WithEverythingOpen_ClosesAll()
    {
        using var rig = new IommufdRig(domains: 2);
        var keeper = new PinKeeper();
        SpaceAccess access = rig.OpenAccess(keeper);
        rig.MapAt(ApertureStart, 0, 4 * Page);
        access.TryPin(new DmaAddr(ApertureStart), new ByteCount(Page), isWrite: false, out AccessPin? pin).ThrowIfError();
        keeper.Keep(pin);

        rig.Context.Dispose();
        rig.Context.Dispose();

        Assert.That((rig.Context.SpaceCount, rig.Context.LiveMapCount, access.PinCount), Is.EqualTo((0, 0, 0)));
        rig.CheckPins(0, 4, 0);
    }

    [Test]
    public void Validate_OfAPinThatIsMissing_Throws()
    {
        using var rig = new IommufdRig(domains: 1, open: machine => new IommufdContext(machine) { UnpinsUnderAccess = true });
        rig.MapAt(ApertureStart, 0, Page);
        rig.Context.Validate();
        rig.Space.TryCopyAt(
            new DmaAddr(ApertureStart + Page), rig.Space, new DmaAddr(ApertureStart), new ByteCount(Page), Core.Dma.IoAccess.Read)
            .ThrowIfError();
        rig.Unmap(ApertureStart, Page);

        Assert.That(() => rig.Context.Validate(), Throws.TypeOf<Core.Checks.MmBugException>().With.Message.Contains("invariant 1"));
        Assert.That(() => rig.Context.Dispose(), Throws.TypeOf<Core.Checks.MmBugException>());
    }
}
