using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

internal sealed class PeerMemoryContractTests
{
    [TestCase(true, false, false)]
    [TestCase(false, true, false)]
    [TestCase(true, true, true)]
    public void TryGetPages_OfADriverThatBreaksItsPromise_Throws(bool isOk, bool hasList, bool isShort)
    {
        var builder = new PhysRangeListBuilder(Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(2))).Build().RangeOwners);
        builder.TryAppend(new PhysRange(PhysAddr.Zero, new ByteCount(isShort ? 100UL : 4096))).ThrowIfError();
        var driver = new FakeDriver(isOk ? Errno.Ok : Errno.EINVAL, hasList ? builder.Build() : null);

        Assert.That(
            () => PeerMemoryContract.TryGetPages(driver, default, new ByteCount(4096), static () => { }, out _),
            Throws.InstanceOf<ArgumentException>());
    }

    private sealed class FakeDriver(Errno answer, PhysRangeList? given) : IPeerMemory
    {
        public string Name => "fake";

        public Errno TryGetPages(VirtAddr start, ByteCount length, Action takeAway, out PhysRangeList? list)
        {
            list = given;
            return answer;
        }

        public void PutPages(PhysRangeList list)
        {
        }
    }
}
