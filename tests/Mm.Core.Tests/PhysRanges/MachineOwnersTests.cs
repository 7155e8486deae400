using Mm.Core.Pagemaps;
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

    // K1 and K4 on a machine: touching page maps, one of peer memory, one of FS_DAX, one private.
    [Test]
    public void Owners_OfPagemaps_AreOneIdentityEach()
    {
        const ulong Granule = 2 << 20;
        const ulong Base = 1UL << 32;
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), Range(0, 16 * Granule))
            .AddDeviceWindow("bar 0", Range(Base, 4 * Granule))
            .Build();
        AddMap(machine, PagemapKind.FsDax, Range(Base, Granule));
        AddMap(machine, PagemapKind.FsDax, Range(Base + Granule, Granule));
        AddMap(machine, PagemapKind.PciP2pDma, Range(Base + (2 * Granule), Granule));
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        Assert.That(builder.TryAppend(Range(Base, 4 * Granule)), Is.EqualTo(Errno.Ok));
        using PhysRangeList before = builder.Build();
        Assert.That(
            RangesOf(before).Select(static pair => pair.Owner.Kind),
            Is.EqualTo(new[] { RangeOwnerKind.Pagemap, RangeOwnerKind.Pagemap, RangeOwnerKind.DeviceWindow }),
            "peer pages without a provider are a window");

        var bar = new FakeProvider("bar 0", Range(Base + (2 * Granule), 2 * Granule));
        Assert.That(machine.Providers.TryRegister(bar, out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppend(Range(Base, 4 * Granule)), Is.EqualTo(Errno.Ok));
        using PhysRangeList after = builder.Build();
        Assert.That(
            RangesOf(after).Select(static pair => (pair.Range.Start.Value - Base, pair.Owner.Kind)),
            Is.EqualTo(new[]
            {
                (0UL, RangeOwnerKind.Pagemap),
                (Granule, RangeOwnerKind.Pagemap),
                (2 * Granule, RangeOwnerKind.PeerPagemap),
                (3 * Granule, RangeOwnerKind.Provider),
            }));
        Assert.That(after.OwnerOf(0), Is.SameAs(before.OwnerOf(0)).And.Not.SameAs(after.OwnerOf(1)));
        Assert.That((after.OwnerOf(2).Provider, after.OwnerOf(3).Provider), Is.EqualTo(((IP2pProvider)bar, (IP2pProvider)bar)));
        var bio = new Bio(machine.RangeOwners);
        Assert.That(bio.AddRanges(after, new ByteCount(2 * Granule), out BioRefusal refusal).Value, Is.EqualTo(Granule));
        Assert.That(refusal, Is.EqualTo(BioRefusal.NoPage));
        registration!.Dispose();
    }

    private static void AddMap(Machine machine, PagemapKind kind, PhysRange range) =>
        Assert.That(machine.Pagemaps.TryAdd(new PagemapRequest { Kind = kind, Ranges = [range] }, out _), Is.EqualTo(Errno.Ok));
}
