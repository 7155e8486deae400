using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class DmaDevicesTests
{
    [Test]
    public void Attach_NoDevice_Throws()
    {
        using var rig = new DmaRig();
        Assert.That(() => rig.Machine.Dma.Attach(DeviceId.None, DmaMask.Bits64), Throws.ArgumentException);
    }

    [Test]
    public void Attach_Twice_Throws()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Direct();
        Assert.That(() => rig.Direct(), Throws.ArgumentException);
        Assert.That((rig.Machine.Dma.TryFind(rig.Client, out DmaDevice? found), found), Is.EqualTo((true, device)));
    }

    [Test]
    public void TryDetach_NotAttached_IsENODEV()
    {
        using var rig = new DmaRig();
        Assert.That(rig.Machine.Dma.TryDetach(rig.Client), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void TryDetach_ThenAttach_IsAnotherView()
    {
        using var rig = new DmaRig();
        DmaDevice first = rig.Direct();
        rig.Machine.Dma.TryDetach(rig.Client).ThrowIfError();
        Assert.That(rig.Direct(), Is.Not.SameAs(first));
        Assert.That(rig.Machine.Dma.Diagnostics.Count, Is.Zero, "nothing was left mapped");
    }
}
