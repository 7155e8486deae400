using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;

namespace Mm.Core.Tests.Dma;

public sealed class BounceBuffersTests
{
    private const ulong HighStart = 0x1_0000_0000;

    private readonly PhysRangeListBuilder builder = new(UniformOwnerSource.AllRam);
    private Machine machine = null!;
    private DmaDevice device = null!;

    [SetUp]
    public void Build()
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), DmaRig.Range(0x100_0000, 16UL << 20))
            .AddRam(new NodeId(0), DmaRig.Range(HighStart, 4UL << 20))
            .WithBounceBuffers(ByteCount.FromKiB(300)) // two blocks
            .Build();
        device = machine.Dma.Attach(machine.RegisterDevice("nic"), DmaMask.Bits32, new DmaLimits(ByteCount.FromMiB(1), ByteCount.FromGiB(1)));
    }

    [TearDown]
    public void End()
    {
        Assert.That(Bounce.Used, Is.EqualTo(ByteCount.Zero));
        machine.Validate();
        machine.Dispose();
        Assert.That(machine.NativeBytes, Is.EqualTo(ByteCount.Zero));
    }

    [Test]
    public void TryMap_OfRamInReach_TakesNoSlot()
    {
        using DmaMapping mapping = Map(DmaRig.Range(0x180_0000, 4096), DmaDirection.Bidirectional);
        Assert.That(mapping.Segments[0].Address.Value, Is.EqualTo(0x180_0000));
        Assert.That(Bounce.Used, Is.EqualTo(ByteCount.Zero));
        Assert.That(Bounce.Length, Is.EqualTo(ByteCount.FromKiB(512)));
    }

    [Test]
    public void TryMap_OfRamBeyondTheMask_GivesAnAddressInReach_WithTheBytes()
    {
        Fill(HighStart + 100, 5000, 7);
        using DmaMapping mapping = Map(DmaRig.Range(HighStart + 100, 5000), DmaDirection.ToDevice);
        DmaAddr at = mapping.Segments[0].Address;
        Assert.That(device.Mask.Reaches(at, mapping.Segments[0].Length), Is.True);
        Assert.That(at.Value % 4096, Is.Zero, "a page or more lies on a page");
        var seen = new byte[5000];
        device.Port.TryRead(at, seen, out _).ThrowIfError();
        Assert.That(seen, Is.All.EqualTo(7));
        Assert.That(Bounce.Used, Is.EqualTo(new ByteCount(3 * 2048)));
    }

    // Museum 26: what a device does not write stays what it was, and is nobody else's.
    [Test]
    public void Unmap_AfterAShortWrite_ChangesOnlyWhatWasWritten()
    {
        Map(DmaRig.Range(HighStart, 2048), DmaDirection.ToDevice, fill: 0x5e).Dispose(); // a secret passes through the slot
        Assert.That(ReadAfterShortWrite(), Is.EqualTo(Expected()));
    }

    [Test]
    public void Unmap_AfterAShortWrite_WithTheFaultPutBack_IsCaught()
    {
        Map(DmaRig.Range(HighStart, 2048), DmaDirection.ToDevice, fill: 0x5e).Dispose();
        Bounce.LeavesOldBytes = true;
        byte[] seen = ReadAfterShortWrite();
        Assert.That(seen, Is.Not.EqualTo(Expected()));
        Assert.That(seen[^1], Is.EqualTo(0x5e), "the secret leaks");
    }

    [Test]
    public void Sync_BothWays_MovesWhatItNames()
    {
        using DmaMapping mapping = Map(DmaRig.Range(HighStart, 4096), DmaDirection.Bidirectional, fill: 1);
        DmaAddr at = mapping.Segments[0].Address;
        device.Port.TryWrite(at, Bytes(4096, 2), out _).ThrowIfError();
        mapping.SyncForCpu(at.AddWrapping(new ByteCount(1024)), new ByteCount(512));
        Assert.That(Read(HighStart, 4096).Count(static value => value == 2), Is.EqualTo(512));
        mapping.SyncForCpu();
        Assert.That(Read(HighStart, 4096), Is.All.EqualTo(2));
        Fill(HighStart, 4096, 3);
        mapping.SyncForDevice(at, new ByteCount(100));
        Assert.That(ReadByDevice(at, 4096).Count(static value => value == 3), Is.EqualTo(100));
        mapping.SyncForDevice();
        Assert.That(ReadByDevice(at, 4096), Is.All.EqualTo(3));
    }

    [Test]
    public void SyncForDevice_OfWhatTheDeviceWrites_LeavesWhatItHasWritten()
    {
        using DmaMapping mapping = Map(DmaRig.Range(HighStart, 64), DmaDirection.FromDevice, fill: 1);
        device.Port.TryWrite(mapping.Segments[0].Address, Bytes(64, 9), out _).ThrowIfError();
        mapping.SyncForDevice();
        mapping.SyncForCpu();
        Assert.That(Read(HighStart, 64), Is.All.EqualTo(9));
    }

    [Test]
    public void Unmap_WithSkipCpuSync_CopiesNothingBack()
    {
        DmaMapping mapping = Map(DmaRig.Range(HighStart, 64), DmaDirection.FromDevice, DmaAttributes.SkipCpuSync, fill: 1);
        device.Port.TryWrite(mapping.Segments[0].Address, Bytes(64, 9), out _).ThrowIfError();
        mapping.Dispose();
        Assert.That(Read(HighStart, 64), Is.All.EqualTo(1));
    }

    [Test]
    public void TryMap_WhatCannotBeBounced_IsRefused_AndTakesNothing()
    {
        var tooLong = DmaRig.Range(HighStart, BounceBuffers.MaxRun.Value + 1);
        Assert.That(TryMap(List(tooLong), DmaAttributes.None), Is.EqualTo(Errno.EIO));
        Assert.That(TryMap(List(DmaRig.Range(HighStart, 4096)), DmaAttributes.Mmio), Is.EqualTo(Errno.EIO));
        PhysRange longest = DmaRig.Range(HighStart, BounceBuffers.MaxRun.Value);
        PhysRange second = DmaRig.Range(HighStart + (1 << 20), BounceBuffers.MaxRun.Value);
        Assert.That(TryMap(List(longest, second, DmaRig.Range(HighStart + (2 << 20), 1)), DmaAttributes.None), Is.EqualTo(Errno.EIO), "full");
        Assert.That(Bounce.Used, Is.EqualTo(ByteCount.Zero));
        builder.TryAppendUnmerged(longest).ThrowIfError();
        device.TryMap(builder.Build(), DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
        Assert.That(Bounce.Used, Is.EqualTo(BounceBuffers.MaxRun));
        mapping!.Dispose();
    }

    [Test]
    public void Unmap_AfterTheMachinesEnd_DoesNothing()
    {
        using Machine other = Machine.CreateBuilder()
            .AddRam(new NodeId(0), DmaRig.Range(0x100_0000, 4UL << 20))
            .AddRam(new NodeId(0), DmaRig.Range(HighStart, 4UL << 20))
            .WithBounceBuffers(ByteCount.FromKiB(1))
            .Build();
        DmaDevice nic = other.Dma.Attach(other.RegisterDevice("nic"), DmaMask.Bits32);
        nic.TryMap(List(DmaRig.Range(HighStart, 4096)), DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        other.Dispose();
        Assert.That(mapping!.Dispose, Throws.Nothing);
        Assert.That((nic.LiveMappings, other.Dma.Bounce!.Used), Is.EqualTo((0, ByteCount.Zero)));
    }

    [Test]
    public void TryMap_ForADomain_NeverBounces()
    {
        IommuDomain domain = machine.Dma.CreateDomain("domain");
        DmaDevice translated = machine.Dma.Attach(machine.RegisterDevice("gpu"), DmaMask.Bits32, domain: domain);
        translated.TryMap(List(DmaRig.Range(HighStart, 4096)), DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
        Assert.That(Bounce.Used, Is.EqualTo(ByteCount.Zero));
        mapping!.Dispose();
    }

    [Test]
    public void Build_WithoutLowRamForThem_Throws()
    {
        MachineBuilder lacking = Machine.CreateBuilder()
            .AddRam(new NodeId(0), DmaRig.Range(HighStart, 4UL << 20))
            .WithBounceBuffers(ByteCount.FromKiB(1));
        Assert.That(lacking.Build, Throws.InvalidOperationException.With.Message.Contains("bounce buffers"));
        Assert.That(() => Machine.CreateBuilder().WithBounceBuffers(ByteCount.Zero), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private BounceBuffers Bounce => machine.Dma.Bounce!;

    private static byte[] Bytes(int count, byte value) => [.. Enumerable.Repeat(value, count)];

    private static byte[] Expected() => [.. Bytes(100, 9), .. Bytes(1948, 1)];

    private byte[] ReadAfterShortWrite()
    {
        const ulong At = HighStart + 0x10000;
        DmaMapping mapping = Map(DmaRig.Range(At, 2048), DmaDirection.FromDevice, fill: 1);
        device.Port.TryWrite(mapping.Segments[0].Address, Bytes(100, 9), out _).ThrowIfError();
        mapping.Dispose();
        return Read(At, 2048);
    }

    private DmaMapping Map(PhysRange range, DmaDirection direction, DmaAttributes attributes = DmaAttributes.None, byte? fill = null)
    {
        if (fill is { } value)
        {
            Fill(range.Start.Value, (int)range.Length.Value, value);
        }

        device.TryMap(List(range), direction, attributes, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }

    private Errno TryMap(PhysRangeList list, DmaAttributes attributes) =>
        device.TryMap(list, DmaDirection.Bidirectional, attributes, out _);

    private PhysRangeList List(params PhysRange[] ranges)
    {
        foreach (PhysRange range in ranges)
        {
            builder.TryAppendUnmerged(range).ThrowIfError();
        }

        return builder.Build();
    }

    private void Fill(ulong start, int length, byte value)
    {
        machine.TryLease(DmaRig.Range(start, (ulong)length), out SpanLease lease).ThrowIfError();
        lease.Bytes.Fill(value);
        lease.Dispose();
    }

    private byte[] Read(ulong start, int length)
    {
        machine.TryLease(DmaRig.Range(start, (ulong)length), out SpanLease lease).ThrowIfError();
        using (lease)
        {
            return lease.Bytes.ToArray();
        }
    }

    private byte[] ReadByDevice(DmaAddr at, int length)
    {
        var bytes = new byte[length];
        device.Port.TryRead(at, bytes, out _).ThrowIfError();
        return bytes;
    }
}
