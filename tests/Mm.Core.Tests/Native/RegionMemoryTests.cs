using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

public sealed class RegionMemoryTests
{
    [TestCase(NativeBacking.OperatingSystem)]
    [TestCase(NativeBacking.PinnedHeap)]
    public void Memory_OfARegion_IsItsBytesUntilItIsDisposed(NativeBacking backing)
    {
        var ledger = new NativeBytes();
        var region = new NativeRegion(ledger, new ByteCount(8192), backing);
        bool isOpen = region.TryOpenMemory(new ByteCount(4096), new ByteCount(16), out RegionMemory? memory);
        memory!.Memory.Span[3] = 7;
        using (SpanLease lease = region.Lease(new ByteCount(4096), new ByteCount(16)))
        {
            Assert.That((isOpen, lease.Bytes[3]), Is.EqualTo((true, (byte)7)));
        }

        using (memory.Memory.Slice(3).Pin())
        {
            region.Dispose();
            Assert.That(memory.Memory.Span[3], Is.EqualTo(7), "open, it keeps the region");
        }

        Assert.That(region.TryOpenMemory(default, new ByteCount(1), out _), Is.False);
        ((IDisposable)memory).Dispose();
        ((IDisposable)memory).Dispose();
        Assert.That(() => memory.GetSpan().Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That((region.OpenLeases, ledger.Live.Value), Is.EqualTo((0UL, 0UL)));
    }

    [Test]
    public void Pin_OutsideTheMemory_Throws()
    {
        using var region = new NativeRegion(new NativeBytes(), new ByteCount(4096));
        _ = region.TryOpenMemory(default, new ByteCount(16), out RegionMemory? memory);

        Assert.That(() => memory!.Pin(17), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => memory!.Pin(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        ((IDisposable)memory!).Dispose();
    }

    [Test]
    public void Machine_WhereNothingLies_OpensNoMemory()
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x20_0000), ByteCount.FromMiB(2)))
            .Build();

        Assert.That(machine.TryOpenMemory(new PhysRange(PhysAddr.Zero, new ByteCount(1)), out _), Is.EqualTo(Errno.ENXIO));
        Assert.That(
            machine.TryOpenMemory(new PhysRange(new PhysAddr(0x20_0000), ByteCount.FromMiB(3)), out _), Is.EqualTo(Errno.ENXIO));
    }
}
