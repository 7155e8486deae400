using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Providers;

public sealed class BarProvidersTests
{
    [Test] // L2
    public void TryGet_ManyExportsOfOneBar_IsOneProvider()
    {
        using var rig = new PciRig();
        BarProvider first = rig.Provider(Gpu);
        for (int i = 0; i < 64; i++)
        {
            using PhysRangeList export = rig.List(Range(GpuBar.Start.Value + ((ulong)i << 12) + 0x200, 0x200));
            Assert.That(export.SingleOwner!.Provider, Is.SameAs(first));
            Assert.That(rig.Provider(Gpu), Is.SameAs(first));
        }

        BarProviders providers = rig.System.Bars;
        Assert.That(providers.Count, Is.EqualTo(1));
    }

    [TestCase("0000:09:00.0", 0, 19, Description = "ENODEV: no such function")]
    [TestCase("0000:03:00.0", 1, 22, Description = "EINVAL: ports")]
    [TestCase("0000:03:00.0", 3, 22, Description = "EINVAL: no such BAR")]
    [TestCase("0000:03:00.0", 2, 6, Description = "ENXIO: size not known")]
    [TestCase("0000:03:00.0", 4, 6, Description = "ENXIO: RAM lies there")]
    public void TryGet_NoSuchWindow_IsRefused(string place, int bar, int errno)
    {
        using var rig = new PciRig();
        Errno answer = rig.System.Bars.TryGet(PciAddress.Parse(place), bar, out BarProvider? provider);
        Assert.That((answer.Number, provider, rig.System.Bars.Count), Is.EqualTo((errno, (BarProvider?)null, 0)));
    }

    [Test]
    public void TryGet_SomebodyElseProvidesThere_IsEBUSY()
    {
        using var rig = new PciRig();
        BarProvider other = rig.Provider(Gpu);
        using var second = new PciRig();
        second.System.ProviderMap.TryRegister(other, out ProviderRegistration? registration).ThrowIfError();
        Assert.That(second.System.Bars.TryGet(Gpu, 0, out _), Is.EqualTo(Errno.EBUSY));
        registration!.Dispose();
    }
}
