using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class ProviderMapTests
{
    private readonly ProviderMap map = new();

    [TearDown]
    public void EveryMap_AtTheEnd_IsValid() => map.Validate();

    [Test]
    public void Find_ByAnyByteOfAnAperture_GivesItsProvider()
    {
        // Packed tightly and below a page, as VFIO's windows are.
        FakeProvider[] packed = [.. Enumerable.Range(0, 100).Select(static number => Bar(0x10_0000 + (0x100 * (ulong)number), 0x100))];
        Assert.That(map.TryRegister(packed, out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        foreach (FakeProvider provider in packed)
        {
            Assert.That(map.Find(provider.Aperture.Start), Is.SameAs(provider));
            Assert.That(map.Find(provider.Aperture.Start.AddChecked(new ByteCount(0xff))), Is.SameAs(provider));
        }

        Assert.That(map.Find(new PhysAddr(0xf_ffff)), Is.Null);
        Assert.That(map.Find(new PhysAddr(0x10_6400)), Is.Null);
        Assert.That(map.CollectProviders(), Is.EqualTo(packed));
        registration!.Dispose();
        registration.Dispose();
        Assert.That((map.Count, map.Find(packed[0].Aperture.Start)), Is.EqualTo((0, (IP2pProvider?)null)));
    }

    [Test]
    public void Register_AnApertureThatOverlaps_IsRefusedAndChangesNothing()
    {
        Assert.That(map.TryRegister(Bar(0x1000, 0x1000), out ProviderRegistration? first), Is.EqualTo(Errno.Ok));
        using (first)
        {
            long version = map.Version;
            Assert.That(map.TryRegister(Bar(0x1fff, 1), out ProviderRegistration? none), Is.EqualTo(Errno.EBUSY));
            Assert.That(map.TryRegister([Bar(0x3000, 1), Bar(0xfff, 2)], out _), Is.EqualTo(Errno.EBUSY));
            Assert.That(map.TryRegister([Bar(0x3000, 2), Bar(0x3001, 2)], out _), Is.EqualTo(Errno.EBUSY));
            Assert.That((none, map.Count, map.Version), Is.EqualTo(((ProviderRegistration?)null, 1, version)));
            Assert.That(map.Find(new PhysAddr(0x3000)), Is.Null);
        }
    }

    [Test]
    public void Register_TheSameProviderTwice_IsRefused()
    {
        FakeProvider bar = Bar(0x1000, 0x1000);
        Assert.That(map.TryRegister([bar, bar], out _), Is.EqualTo(Errno.EEXIST));
        Assert.That(map.TryRegister(bar, out ProviderRegistration? first), Is.EqualTo(Errno.Ok));
        Assert.That(map.TryRegister(bar, out _), Is.EqualTo(Errno.EEXIST));
        first!.Dispose();
        Assert.That(map.TryRegister(bar, out ProviderRegistration? again), Is.EqualTo(Errno.Ok));
        again!.Dispose();
    }

    [Test]
    public void Register_AnEmptyAperture_IsRefused() =>
        Assert.That(map.TryRegister(Bar(0x1000, 0), out _), Is.EqualTo(Errno.EINVAL));

    [Test]
    public void Register_AtBothBordersOfTheAddressSpace_IsRight()
    {
        FakeProvider bottom = Bar(0, 1);
        FakeProvider top = Bar(ulong.MaxValue, 1);
        Assert.That(map.TryRegister([top, bottom], out ProviderRegistration? both), Is.EqualTo(Errno.Ok));
        Assert.That((map.Find(PhysAddr.Zero), map.Find(PhysAddr.MaxValue)), Is.EqualTo(((IP2pProvider)bottom, (IP2pProvider)top)));
        Assert.That(map.FindOwner(new PhysAddr(5), out PhysRange gap), Is.Null);
        Assert.That(gap, Is.EqualTo(Range(1, ulong.MaxValue - 1)));
        both!.Dispose();
    }

    [Test]
    public void FindOwner_OfARegisteredProvider_IsOneIdentityUntilItLeaves()
    {
        FakeProvider bar = Bar(0x1000, 0x1000);
        Assert.That(map.TryRegister(bar, out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        RangeOwner? owner = map.FindOwner(new PhysAddr(0x1800), out PhysRange extent);
        Assert.That(map.TryRegister(Bar(0x3000, 1), out ProviderRegistration? other), Is.EqualTo(Errno.Ok));
        Assert.That(map.FindOwner(new PhysAddr(0x1000), out _), Is.SameAs(owner));
        Assert.That((owner!.Kind, owner.Provider, extent), Is.EqualTo((RangeOwnerKind.Provider, (IP2pProvider)bar, bar.Aperture)));
        long version = map.Version;
        registration!.Dispose();
        Assert.That(map.FindOwner(new PhysAddr(0x1000), out _), Is.Null);
        Assert.That(map.Version, Is.GreaterThan(version));
        other!.Dispose();
    }

    [Test]
    public void Layers_WhereTheFrontKnowsNobody_AskTheBack()
    {
        Assert.That(map.TryRegister(Bar(0x1000, 0x1000), out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        var layers = new RangeOwnerLayers(map, UniformOwnerSource.AllRam);
        Assert.That(layers.FindOwner(new PhysAddr(0x1000), out PhysRange inside)!.Kind, Is.EqualTo(RangeOwnerKind.Provider));
        Assert.That(layers.FindOwner(new PhysAddr(0x800), out PhysRange below), Is.SameAs(RangeOwner.Ram));
        Assert.That(layers.FindOwner(new PhysAddr(0x2000), out PhysRange above), Is.SameAs(RangeOwner.Ram));
        Assert.That((inside, below, above), Is.EqualTo((Range(0x1000, 0x1000), Range(0, 0x1000), Range(0x2000, (1UL << 63) - 0x2000))));
        long version = layers.Version;
        registration!.Dispose();
        Assert.That(layers.Version, Is.Not.EqualTo(version));
        Assert.That(() => new RangeOwnerLayers(null!, map), Throws.ArgumentNullException);
        Assert.That(() => new RangeOwnerLayers(map, null!), Throws.ArgumentNullException);
    }

    // Look-ups beside changes: each sees the map before or after a change, and so always one of the two stable answers.
    [Test]
    public void Find_BesideChanges_AlwaysFindsWhatStays()
    {
        FakeProvider stays = Bar(0x10_0000, 0x1000);
        FakeProvider[] others = [.. Enumerable.Range(0, 50).Select(static number => Bar(0x1000 * (ulong)number, 0x1000))];
        Assert.That(map.TryRegister(stays, out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        int wrong = 0;
        using var done = new CancellationTokenSource();
        var reader = new Thread(() =>
        {
            while (!done.IsCancellationRequested)
            {
                IP2pProvider? moving = map.Find(new PhysAddr(0x5_0800 - 0x2_0000));
                bool isRight = ReferenceEquals(map.Find(new PhysAddr(0x10_0800)), stays)
                    && (moving is null || ReferenceEquals(moving, others[0x30]));
                wrong += isRight ? 0 : 1;
            }
        });
        reader.Start();
        for (int round = 0; round < 300; round++)
        {
            Assert.That(map.TryRegister(others, out ProviderRegistration? come), Is.EqualTo(Errno.Ok));
            come!.Dispose();
        }

        done.Cancel();
        reader.Join();
        Assert.That(wrong, Is.Zero);
        registration!.Dispose();
    }

    [Test]
    public void Find_Warm_AllocatesNothing()
    {
        Assert.That(map.TryRegister(Bar(0x1000, 0x1000), out ProviderRegistration? registration), Is.EqualTo(Errno.Ok));
        IP2pProvider? found = map.Find(new PhysAddr(0x1000));
        RangeOwner? owner = map.FindOwner(new PhysAddr(0x1000), out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong address = 0; address < 0x3000; address++)
        {
            found ??= map.Find(new PhysAddr(address));
            owner ??= map.FindOwner(new PhysAddr(address), out _);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That((found, owner), Is.Not.EqualTo(((IP2pProvider?)null, (RangeOwner?)null)));
        registration!.Dispose();
    }

    private static FakeProvider Bar(ulong start, ulong length) => new($"bar {start:x}", Range(start, length));
}
