using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

[Platform("Linux")]
internal sealed class SharedBytesTests
{
    private static readonly PhysRange Ram = new(PhysAddr.Zero, ByteCount.FromMiB(4));

    [Test]
    public void Share_OfSeveralRanges_IsOneFileInTheirOrder()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Ram).Build();
        PhysRange[] ranges = [Pages(9, 2), Pages(3, 1)];
        Fill(machine, ranges[0], 1);
        Fill(machine, ranges[1], 2);
        machine.TryShareBytes(ranges, out SharedBytes? shared).ThrowIfError();
        using (shared)
        {
            byte[] bytes = File.ReadAllBytes(shared!.Path);
            Assert.That(bytes, Has.Length.EqualTo(3 * 4096));
            Assert.That((bytes[0], bytes[8191], bytes[8192]), Is.EqualTo(((byte)1, (byte)1, (byte)2)));
            Fill(machine, ranges[1], 7);
            Assert.That(File.ReadAllBytes(shared.Path)[8192], Is.EqualTo(7));
        }

        shared.Dispose();
        using SpanLease lease = machine.Lease(ranges[1]);
        Assert.That(lease.Bytes.ContainsAnyExcept((byte)7), Is.False, "invariant 2");
    }

    [Test]
    public void Share_OfIllegalRanges_IsRefused()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Ram).Build();
        Assert.That(machine.TryShareBytes([], out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(machine.TryShareBytes([default], out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(machine.TryShareBytes([new PhysRange(new PhysAddr(1), new ByteCount(4096))], out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(machine.TryShareBytes([new PhysRange(new PhysAddr(1UL << 40), new ByteCount(4096))], out _), Is.EqualTo(Errno.ENXIO));
    }

    [Test]
    public void Share_OfABytePastOneThatIsShared_UndoesWhatItBegan()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Ram).Build();
        Fill(machine, Pages(0, 8), 5);
        machine.TryShareBytes([Pages(4, 1)], out SharedBytes? first).ThrowIfError();
        Assert.That(machine.TryShareBytes([Pages(0, 2), Pages(4, 2)], out _), Is.EqualTo(Errno.EBUSY), "invariant 1");
        first!.Dispose();
        Assert.That(machine.TryShareBytes([Pages(0, 2), Pages(4, 2)], out SharedBytes? second), Is.EqualTo(Errno.Ok));
        second!.Dispose();
        using SpanLease lease = machine.Lease(Pages(0, 8));
        Assert.That(lease.Bytes.ContainsAnyExcept((byte)5), Is.False);
    }

    [Test]
    public void Share_OfArraysOfTheHeap_IsNotSupported()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Ram).WithBacking(NativeBacking.PinnedHeap).Build();
        Assert.That(machine.TryShareBytes([Pages(0, 1)], out _), Is.EqualTo(Errno.EOPNOTSUPP));
    }

    [Test]
    public void Machine_DisposedWhileShared_KeepsTheBytesUntilTheEnd()
    {
        Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Ram).Build();
        Fill(machine, Pages(0, 1), 3);
        machine.TryShareBytes([Pages(0, 1)], out SharedBytes? shared).ThrowIfError();
        machine.Dispose();
        Assert.That(File.ReadAllBytes(shared!.Path), Is.All.EqualTo(3));
        shared.Dispose();
        Assert.That(machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "invariant 3");
    }

    private static PhysRange Pages(ulong first, ulong count) => new(new PhysAddr(first * 4096), new ByteCount(count * 4096));

    private static void Fill(Machine machine, PhysRange range, byte value)
    {
        using SpanLease lease = machine.Lease(range);
        lease.Bytes.Fill(value);
    }
}
