using Mm.Core.Dma;
using static Mm.Core.Tests.Dma.DmaRig;

namespace Mm.Core.Tests.Dma;

public sealed class DmaMappingTests
{
    [Test] // J5
    public void Dispose_MixedMapping_GivesBackTheWindowAndTheMarks()
    {
        using var rig = new DmaRig();
        DmaMapping mapping = Map(rig, DmaDirection.Bidirectional);
        Assert.That(rig.Domain.MappedBytes.Value, Is.EqualTo(0x1000));
        mapping.Dispose();
        Assert.That((rig.Domain.MappedBytes, rig.Domain.UsedAddresses), Is.EqualTo((ByteCount.Zero, ByteCount.Zero)));
        Assert.That(() => mapping.Segments.Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(mapping.IsValid, Is.False);
    }

    [Test]
    public void Dispose_Twice_IsSafeAndReported()
    {
        using var rig = new DmaRig();
        DmaMapping mapping = Map(rig, DmaDirection.ToDevice);
        mapping.Dispose();
        mapping.Dispose();
        Assert.That(Kinds(rig), Is.EqualTo(new[] { DmaDiagnosticKind.DoubleUnmap }));
        Assert.That(mapping.Device.LiveMappings, Is.Zero);
    }

    [Test]
    public void SyncForCpu_ThenForDevice_PassesOwnershipBackAndForth()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig, DmaDirection.FromDevice);
        Assert.That(mapping.IsOwnedByCpu, Is.False);
        mapping.SyncForCpu();
        Assert.That(mapping.IsOwnedByCpu, Is.True);
        mapping.SyncForDevice(mapping.Segments[0].Address, mapping.Segments[0].Length);
        Assert.That((mapping.IsOwnedByCpu, Kinds(rig).Length), Is.EqualTo((false, 0)));
    }

    [Test]
    public void SyncForCpu_OutsideTheMapping_IsReported()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig, DmaDirection.FromDevice);
        mapping.SyncForCpu(mapping.Segments[0].Address, new ByteCount(0x1001));
        mapping.SyncForCpu(new DmaAddr(0), new ByteCount(1));
        Assert.That(Kinds(rig), Is.EqualTo(new[] { DmaDiagnosticKind.SyncOutsideMapping, DmaDiagnosticKind.SyncOutsideMapping }));
    }

    [Test]
    public void SyncForCpu_AfterUnmap_Throws()
    {
        using var rig = new DmaRig();
        DmaMapping mapping = Map(rig, DmaDirection.FromDevice);
        mapping.Dispose();
        Assert.That(mapping.SyncForCpu, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(mapping.SyncForDevice, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void TryMap_SameCacheLineForWritingTwice_IsReported()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        using DmaMapping first = Map(device, rig, Range(0x200_0000, 0x20), DmaDirection.FromDevice);
        using DmaMapping reads = Map(device, rig, Range(0x200_0020, 0x20), DmaDirection.ToDevice);
        Assert.That(Kinds(rig), Is.Empty, "reading side by side harms nobody");
        using DmaMapping second = Map(device, rig, Range(0x200_0020, 0x20), DmaDirection.FromDevice);
        Assert.That(Kinds(rig), Is.EqualTo(new[] { DmaDiagnosticKind.OverlappingMappings }));
    }

    [Test]
    public void IsValid_ListDisposed_IsFalse()
    {
        using var rig = new DmaRig();
        var list = rig.List(Range(0x200_0000, 0x1000));
        rig.Translated().TryMap(list, DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
        Assert.That(mapping!.IsValid, Is.True);
        list.Dispose();
        Assert.That(mapping.IsValid, Is.False);
        mapping.Dispose();
    }

    private static DmaMapping Map(DmaRig rig, DmaDirection direction)
    {
        DmaDevice device = rig.Translated();
        device.TryMap(rig.List(Range(0xd000_0000, 0x1000), Range(0x200_0000, 0x1000)), direction, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }

    private static DmaMapping Map(DmaDevice device, DmaRig rig, PhysRange range, DmaDirection direction)
    {
        device.TryMap(rig.List(range), direction, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }

    private static DmaDiagnosticKind[] Kinds(DmaRig rig) => [.. rig.Machine.Dma.Diagnostics.Collect().Select(d => d.Kind)];
}
