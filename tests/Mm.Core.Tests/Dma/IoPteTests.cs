using Mm.Core.Checks;
using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IoPteTests
{
    [Test]
    public void Layout_IsEightBytes() => Assert.That(System.Runtime.InteropServices.Marshal.SizeOf<IoPte>(), Is.EqualTo(8));

    [Test]
    public void Default_IsEmpty() => Assert.That(default(IoPte).IsPresent, Is.False);

    [Test]
    public void Leaf_EveryAccess_KeepsAddressAndAccess(
        [Values(IoAccess.Read, IoAccess.Write, IoAccess.ReadWrite)] IoAccess access,
        [Values(0UL, 0x1000UL, 0xf_ffff_ffff_f000UL)] ulong address)
    {
        IoPte entry = IoPte.Leaf(new PhysAddr(address), access);
        Assert.That((entry.IsPresent, entry.IsLeaf), Is.EqualTo((true, true)));
        Assert.That((entry.Address.Value, entry.Access), Is.EqualTo((address, access)));
    }

    [Test]
    public void Table_AnyIndex_IsNoLeaf([Values(0, 1, int.MaxValue)] int index)
    {
        IoPte entry = IoPte.Table(index);
        Assert.That((entry.IsPresent, entry.IsLeaf, entry.TableIndex), Is.EqualTo((true, false, index)));
    }

    [TestCase(0x1001UL, IoAccess.Read)]
    [TestCase(1UL << 52, IoAccess.Read)]
    [TestCase(0x1000UL, IoAccess.None)]
    [TestCase(0x1000UL, (IoAccess)4)]
    public void Leaf_IllegalParts_IsABug(ulong address, IoAccess access) =>
        Assert.That(() => IoPte.Leaf(new PhysAddr(address), access), Throws.InstanceOf<MmBugException>());
}
