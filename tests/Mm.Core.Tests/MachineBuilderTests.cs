namespace Mm.Core.Tests;

internal sealed class MachineBuilderTests
{
    private static readonly NodeId Node0 = new(0);

    [TestCase(0UL, 0UL, TestName = "AddRam_Empty_IsRefused")]
    [TestCase(1UL << 52, 0x1000UL, TestName = "AddRam_AboveTheTop_IsRefused")]
    [TestCase((1UL << 52) - 0x1000, 0x2000UL, TestName = "AddRam_AcrossTheTop_IsRefused")]
    [TestCase(0x800UL, 0x1000UL, TestName = "AddRam_MisalignedStart_IsRefused")]
    [TestCase(0x1000UL, 0x1800UL, TestName = "AddRam_MisalignedLength_IsRefused")]
    public void IllegalRam(ulong start, ulong length)
    {
        MachineBuilder builder = Machine.CreateBuilder();
        Assert.That(() => builder.AddRam(Node0, Range(start, length)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => builder.AddReserved(Range(start, length)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        using Machine machine = builder.Build();
        Assert.That(machine.AddressMap.Regions, Is.Empty);
    }

    [Test]
    public void AddRam_UpToTheTop_IsLegal()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(Node0, Range((1UL << 52) - 0x1000, 0x1000)).Build();
        machine.Validate();
    }

    [Test]
    public void AddRam_OnNoNode_IsRefused() =>
        Assert.That(() => Machine.CreateBuilder().AddRam(NodeId.None, Range(0, 0x1000)), Throws.ArgumentException);

    [Test]
    public void AddDeviceWindow_OverRam_IsRefusedNamingBoth()
    {
        MachineBuilder builder = Machine.CreateBuilder().AddRam(Node0, Range(0, 0x10000));
        Assert.That(
            () => builder.AddDeviceWindow("gpu BAR 0", Range(0xFFFF, 16)),
            Throws.ArgumentException.With.Message.Contains("gpu BAR 0").And.Message.Contains("System RAM"));
    }

    [Test]
    public void AddDeviceWindow_OfSixteenBytesAnywhere_IsLegal()
    {
        using Machine machine = Machine.CreateBuilder().AddDeviceWindow("uart", Range(0x3F8, 16), new NodeId(1)).Build();
        Assert.That(machine.AddressMap.Regions[0].ToString(), Is.EqualTo("[0x3f8, 0x408) uart, node 1"));
    }

    [Test]
    public void AddDeviceWindow_WithoutName_IsRefused() =>
        Assert.That(() => Machine.CreateBuilder().AddDeviceWindow(" ", Range(0, 16)), Throws.ArgumentException);

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(MachineBuilder.MaxCpuCount + 1)]
    public void WithCpuCount_OutsideTheLegalInterval_IsRefused(int count) =>
        Assert.That(() => Machine.CreateBuilder().WithCpuCount(count), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void Build_Twice_IsRefused()
    {
        MachineBuilder builder = Machine.CreateBuilder();
        using Machine machine = builder.Build();
        Assert.That(builder.Build, Throws.InvalidOperationException);
        Assert.That(() => builder.AddReserved(Range(0, 0x1000)), Throws.InvalidOperationException);
    }

    [Test]
    public void Build_Default_IsOneCpuSeedZeroAndLinux612()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        Assert.That((machine.CpuCount, machine.Seed, machine.Profile.ToString()), Is.EqualTo((1, 0UL, "Linux 6.12")));
    }

    private static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));
}
