using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using static Mm.Core.Tests.Dma.DmaRig;

namespace Mm.Core.Tests.Dma;

public sealed class DmaPortTests
{
    private static readonly PhysRange Ram = Range(0x200_0100, 0x2000);
    private static readonly PhysRange Peer = Range(0xd000_0200, 0x400);

    [Test]
    public void TryWrite_EverySegment_ReachesTheBytesOfTheList([Values] bool translated)
    {
        using var rig = new DmaRig();
        rig.Far.Kind = P2pMapKind.BusAddress;
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        PhysRange far = Range(0x20_0000_0800, 0x300);
        using DmaMapping mapping = Map(rig, device, DmaDirection.Bidirectional, Ram, Peer, far);
        byte fill = 1;
        foreach (DmaSegment segment in mapping.Segments)
        {
            byte[] bytes = new byte[segment.Length.Value];
            Array.Fill(bytes, fill++);
            Assert.That(device.Port.TryWrite(segment.Address, bytes, out DmaFault fault), Is.EqualTo(Errno.Ok), fault.ToString());
            byte[] back = new byte[bytes.Length];
            Assert.That(device.Port.TryRead(segment.Address, back, out _), Is.EqualTo(Errno.Ok));
            Assert.That(back, Is.EqualTo(bytes));
        }

        Assert.That((FirstByte(rig, Peer), FirstByte(rig, far)), Is.EqualTo(((byte)(fill - 2), (byte)(fill - 1))));
        Assert.That(FirstByte(rig, Ram), Is.EqualTo(1));
        Assert.That(rig.Machine.Dma.Diagnostics.Count, Is.Zero);
    }

    [Test]
    public void TryLease_OfAMapping_LendsItsBytesAsFarAsTheyGo([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using (DmaMapping mapping = Map(rig, device, DmaDirection.FromDevice, Ram))
        {
            DmaAddr start = mapping.Segments[0].Address;
            device.Port.TryLease(start, new ByteCount(0x10_0000), IoAccess.Write, out SpanLease lease, out _).ThrowIfError();
            using (lease)
            {
                Assert.That(lease.Length.Value, Is.InRange(1UL, Ram.Length.Value));
                lease.Bytes[0] = 0x5a;
            }

            Assert.That(FirstByte(rig, Ram), Is.EqualTo(0x5a));
            Assert.That(device.Port.TryLease(start, new ByteCount(1), IoAccess.Read, out _, out DmaFault fault), Is.EqualTo(Errno.EFAULT));
            Assert.That(fault.Kind, Is.EqualTo(DmaFaultKind.ReadDenied));
            Assert.That(
                () => device.Port.TryLease(start, ByteCount.Zero, IoAccess.Write, out _, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        }
    }

    // Two regions of RAM side by side are one run of addresses, and two pieces of native memory.
    [Test]
    public void WriteAndRead_OverTheBorderOfTwoRegions_MoveEveryByte([Values] bool translated)
    {
        var low = new PhysRange(new PhysAddr(0x1000_0000), ByteCount.FromMiB(2));
        Assert.That(low.TryGetEnd(out PhysAddr border), Is.True);
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), low).AddRam(new NodeId(1), new PhysRange(border, ByteCount.FromMiB(2))).Build();
        DmaDevice device = machine.Dma.Attach(
            machine.RegisterDevice("device"), DmaMask.Bits64, default, translated ? machine.Dma.CreateDomain("domain") : null);
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        builder.TryAppend(new PhysRange(new PhysAddr(border.Value - 0x2000), new ByteCount(0x2000))).ThrowIfError();
        builder.TryAppend(new PhysRange(border, new ByteCount(0x2000))).ThrowIfError();
        using PhysRangeList list = builder.Build();
        device.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            byte[] written = [.. Enumerable.Range(0, 0x4000).Select(static at => (byte)((at * 7 >> 3) & 0xFF))];
            byte[] read = new byte[written.Length];
            DmaAddr start = mapping!.Segments[0].Address;
            device.Port.TryWrite(start, written, out _).ThrowIfError();
            device.Port.TryRead(start, read, out _).ThrowIfError();
            Assert.That(read, Is.EqualTo(written));
        }

        machine.Validate();
    }

    [Test]
    public void TryRead_NothingMapped_Faults([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        Assert.That(device.Port.TryRead(new DmaAddr(Ram.Start.Value), new byte[1], out DmaFault fault), Is.EqualTo(Errno.EFAULT));
        Assert.That(fault, Is.EqualTo(new DmaFault(DmaFaultKind.NotMapped, rig.Client, new DmaAddr(Ram.Start.Value), IoAccess.Read)));
    }

    [TestCase(true, DmaDirection.ToDevice, DmaFaultKind.WriteDenied)]
    [TestCase(false, DmaDirection.ToDevice, DmaFaultKind.WriteDenied)]
    [TestCase(true, DmaDirection.FromDevice, DmaFaultKind.ReadDenied)]
    [TestCase(false, DmaDirection.FromDevice, DmaFaultKind.ReadDenied)]
    public void TryAccess_AgainstTheDirection_Faults(bool translated, DmaDirection direction, DmaFaultKind kind)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using DmaMapping mapping = Map(rig, device, direction, Ram, Peer);
        foreach (DmaSegment segment in mapping.Segments)
        {
            Errno errno = kind == DmaFaultKind.WriteDenied
                ? device.Port.TryWrite(segment.Address, new byte[1], out DmaFault fault)
                : device.Port.TryRead(segment.Address, new byte[1], out fault);
            Assert.That((errno, fault.Kind), Is.EqualTo((Errno.EFAULT, kind)), segment.ToString());
        }
    }

    [Test]
    public void TryWrite_RunsPastTheMapping_MovesNothing([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using DmaMapping mapping = Map(rig, device, DmaDirection.Bidirectional, Range(0x200_0000, 0x1000));
        byte[] bytes = new byte[0x1001];
        Array.Fill(bytes, (byte)7);
        Assert.That(device.Port.TryWrite(mapping.Segments[0].Address, bytes, out DmaFault fault), Is.EqualTo(Errno.EFAULT));
        Assert.That((fault.Kind, fault.Address), Is.EqualTo((DmaFaultKind.NotMapped, mapping.Segments[0].Address.AddChecked(new ByteCount(0x1000)))));
        Assert.That(FirstByte(rig, Range(0x200_0000, 1)), Is.Zero);
    }

    [Test]
    public void TryRead_AfterUnmap_Faults([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        DmaMapping mapping = Map(rig, device, DmaDirection.Bidirectional, Peer, Ram);
        DmaSegment[] segments = mapping.Segments.ToArray();
        mapping.Dispose();
        foreach (DmaSegment segment in segments)
        {
            Assert.That(device.Port.TryRead(segment.Address, new byte[1], out DmaFault fault), Is.EqualTo(Errno.EFAULT));
            Assert.That(fault.Kind, Is.EqualTo(DmaFaultKind.NotMapped));
        }
    }

    [Test]
    public void TryRead_ProviderDied_IsStale([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using DmaMapping mapping = Map(rig, device, DmaDirection.Bidirectional, Peer, Range(0x20_0000_0000, 0x1000));
        rig.Near.Die();
        foreach (DmaSegment segment in mapping.Segments)
        {
            Assert.That(device.Port.TryRead(segment.Address, new byte[1], out DmaFault fault), Is.EqualTo(Errno.EFAULT));
            Assert.That(fault.Kind, Is.EqualTo(DmaFaultKind.Stale));
        }
    }

    [Test]
    public void TryRead_WindowRemoved_HasNoTarget([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using DmaMapping mapping = Map(rig, device, DmaDirection.Bidirectional, Peer);
        rig.Machine.AddressMap.TryFind(Peer.Start, out AddressRegion? window);
        rig.Machine.TryRemoveRegion(window!).ThrowIfError();
        Assert.That(device.Port.TryRead(mapping.Segments[0].Address, new byte[1], out DmaFault fault), Is.EqualTo(Errno.EFAULT));
        Assert.That(fault.Kind, Is.EqualTo(DmaFaultKind.NoTarget));
    }

    [Test]
    public void TryRead_RestOfAMappedPage_GoesThroughAndIsReported()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        using DmaMapping mapping = Map(rig, device, DmaDirection.ToDevice, Range(0x200_0200, 0x100));
        DmaAddr before = mapping.Segments[0].Address.AlignDown(PageSize.Small);
        Assert.That(device.Port.TryRead(before, new byte[1], out _), Is.EqualTo(Errno.Ok));
        Assert.That(
            rig.Machine.Dma.Diagnostics.Collect().Select(d => d.Kind).Distinct(), Is.EqualTo(new[] { DmaDiagnosticKind.AccessOutsideMapping }));
    }

    [Test]
    public void TryWrite_WhileTheCpuOwns_IsReported([Values] bool translated)
    {
        using var rig = new DmaRig();
        DmaDevice device = translated ? rig.Translated() : rig.Direct();
        using DmaMapping mapping = Map(rig, device, DmaDirection.FromDevice, Ram);
        mapping.SyncForCpu();
        Assert.That(device.Port.TryWrite(mapping.Segments[0].Address, new byte[1], out _), Is.EqualTo(Errno.Ok));
        Assert.That(
            rig.Machine.Dma.Diagnostics.Collect().Select(d => d.Kind).Distinct(), Is.EqualTo(new[] { DmaDiagnosticKind.AccessWhileCpuOwns }));
    }

    private static DmaMapping Map(DmaRig rig, DmaDevice device, DmaDirection direction, params PhysRange[] ranges)
    {
        device.TryMap(rig.List(ranges), direction, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }

    private static byte FirstByte(DmaRig rig, PhysRange range)
    {
        using var lease = rig.Machine.Lease(range);
        return lease.Bytes[0];
    }
}
