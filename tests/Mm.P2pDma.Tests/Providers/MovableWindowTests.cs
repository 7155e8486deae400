using Mm.Core;
using Mm.P2pDma.Providers;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Providers;

public sealed class MovableWindowTests
{
    private static readonly ByteCount Vram = ByteCount.FromGiB(1);

    [Test]
    public void TryMove_Elsewhere_ShowsAnotherPartAndEndsTokens()
    {
        using var rig = new PciRig();
        var window = new MovableWindow(rig.Provider(Gpu), Vram);
        ValidityToken token = window.Provider.Validity;
        Assert.That(window.TryFind(ByteCount.FromMiB(64), new ByteCount(1), out _), Is.EqualTo(Errno.ENXIO));
        Assert.That(window.TryMove(ByteCount.FromMiB(48)), Is.EqualTo(Errno.Ok));
        Assert.That(token.IsValid, Is.False);
        Assert.That(window.TryFind(ByteCount.FromMiB(64), ByteCount.FromMiB(16), out PhysRange range), Is.EqualTo(Errno.Ok));
        Assert.That(range, Is.EqualTo(Range(GpuBar.Start.Value + (16UL << 20), 16UL << 20)));
    }

    [Test]
    public void TryMove_SamePlace_EndsNothing()
    {
        using var rig = new PciRig();
        var window = new MovableWindow(rig.Provider(Gpu), Vram);
        ValidityToken token = window.Provider.Validity;
        Assert.That((window.TryMove(ByteCount.Zero), token.IsValid), Is.EqualTo((Errno.Ok, true)));
    }

    [Test]
    public void TryMove_BeyondTheMemory_IsEINVAL()
    {
        using var rig = new PciRig();
        var window = new MovableWindow(rig.Provider(Gpu), Vram);
        Assert.That(window.TryMove(ByteCount.FromMiB(993)), Is.EqualTo(Errno.EINVAL));
        Assert.That((window.TryMove(ByteCount.FromMiB(992)), window.Position), Is.EqualTo((Errno.Ok, ByteCount.FromMiB(992))));
    }

    [TestCase(0UL, 33UL << 20)]
    [TestCase(32UL << 20, 1UL)]
    [TestCase(1UL, 32UL << 20)]
    public void TryFind_NotAllShown_IsENXIO(ulong offset, ulong length)
    {
        using var rig = new PciRig();
        var window = new MovableWindow(rig.Provider(Gpu), Vram);
        Assert.That(window.TryFind(new ByteCount(offset), new ByteCount(length), out _), Is.EqualTo(Errno.ENXIO));
    }

    [Test]
    public void Constructor_MemorySmallerThanTheBar_Throws()
    {
        using var rig = new PciRig();
        BarProvider provider = rig.Provider(Gpu);
        Assert.That(() => new MovableWindow(provider, ByteCount.FromMiB(31)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
