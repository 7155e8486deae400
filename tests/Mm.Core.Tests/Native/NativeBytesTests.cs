using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class NativeBytesTests
{
    [Test]
    public void Account_AddedAndTaken_Balances()
    {
        var ledger = new NativeBytes();
        ledger.Add(new ByteCount(10));
        ledger.Add(new ByteCount(5));
        ledger.Subtract(new ByteCount(10));
        Assert.That((ledger.Live, ledger.LiveBlocks), Is.EqualTo((new ByteCount(5), 1L)));
    }

    [Test]
    public void Account_OverdrawnInBytesOrBlocks_IsABug()
    {
        var ledger = new NativeBytes();
        ledger.Add(new ByteCount(10));
        Assert.That(() => ledger.Subtract(new ByteCount(11)), Throws.InstanceOf<MmBugException>());
        Assert.That(() => new NativeBytes().Subtract(ByteCount.Zero), Throws.InstanceOf<MmBugException>());
    }
}
