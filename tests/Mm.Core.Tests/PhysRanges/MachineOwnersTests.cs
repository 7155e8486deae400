using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

/// <summary>What a machine answers when a list builder asks who owns an address.</summary>
[TestFixture]
internal sealed class MachineOwnersTests
{
    [Test]
    public void Owners_OfAMachine_AreRamWindowsAndProviders()
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), Range(0, 0x10_0000))
            .AddRam(new NodeId(1), Range(0x10_0000, 0x10_0000))
            .AddReserved(Range(0x20_0000, 0x1000))
            .AddDeviceWindow("bar 0", Range(0x30_0000, 0x10_0000))
            .Build();
        var bar = new FakeProvider("bar 0", Range(0x30_8000, 0x100));
        Assert.That(machine.Providers.TryRegister(bar, out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        Assert.That(builder.TryAppend(Range(0xf_f000, 0x2000)), Is.EqualTo(Errno.Ok), "RAM merges across nodes");
        Assert.That(builder.TryAppend(Range(0x30_7f00, 0x300)), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppend(Range(0x1f_ffff, 2)), Is.EqualTo(Errno.EFAULT), "a reserved hole");
        Assert.That(builder.TryAppend(Range(0x28_0000, 1)), Is.EqualTo(Errno.EFAULT), "a gap");
        Assert.That(builder.TryAppend(Range(ulong.MaxValue, 1)), Is.EqualTo(Errno.EFAULT), "the top");
        using PhysRangeList list = builder.Build();
        Assert.That(
            RangesOf(list).Select(static pair => (pair.Range, pair.Owner.Kind)),
            Is.EqualTo(new[]
            {
                (Range(0xf_f000, 0x2000), RangeOwnerKind.Ram),
                (Range(0x30_7f00, 0x100), RangeOwnerKind.DeviceWindow),
                (Range(0x30_8000, 0x100), RangeOwnerKind.Provider),
                (Range(0x30_8100, 0x100), RangeOwnerKind.DeviceWindow),
            }));
        machine.Validate();
        registration!.Dispose();
    }

    [Test]
    public void Owners_AfterHotplug_AreAskedAgain()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Range(0, 0x10_0000)).Build();
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        Assert.That(builder.TryAppend(Range(0x20_0000, 8)), Is.EqualTo(Errno.EFAULT));
        Assert.That(machine.TryAddDeviceWindow("bar", Range(0x20_0000, 0x1000), out AddressRegion? window), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppend(Range(0x20_0000, 8)), Is.EqualTo(Errno.Ok));
        Assert.That(machine.TryRemoveRegion(window!), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppend(Range(0x20_0008, 8)), Is.EqualTo(Errno.EFAULT));
        Assert.That(builder.Count, Is.EqualTo(1));
    }
}
