using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class P2pProviderContractTests
{
    private static readonly DeviceId Client = new(7);

    [Test]
    public void Contract_OfAnHonestProvider_Holds()
    {
        var wrapping = new FakeProvider("bar", new DeviceId(1), Range(0x1000, 0x2001), new DmaAddr(ulong.MaxValue - 5), Kind(P2pMapKind.ThroughHostBridge));
        Assert.That(() => P2pProviderContract.ThrowIfBroken(wrapping, Client), Throws.Nothing);
        Assert.That(P2pProviderContract.MapKindFor(wrapping, Client), Is.EqualTo(P2pMapKind.ThroughHostBridge));
        Assert.That(P2pProviderContract.ToBusAddress(wrapping, new PhysAddr(0x1006)).Value, Is.Zero);
        Assert.That(static () => P2pProviderContract.ThrowIfBroken(new FakeProvider("all", Range(0, ulong.MaxValue))), Throws.Nothing);
    }

    [TestCase(P2pMapKind.Unknown)]
    [TestCase(P2pMapKind.NotPeer)]
    [TestCase((P2pMapKind)77)]
    public void Contract_OfAKindThatIsNoAnswer_IsBroken(P2pMapKind kind)
    {
        var provider = new FakeProvider("bar", new DeviceId(1), Range(0x1000, 1), default, Kind(kind));
        Assert.That(() => P2pProviderContract.ThrowIfBroken(provider, Client), Throws.ArgumentException.With.Message.Contains("MapKindFor"));
        Assert.That(() => P2pProviderContract.MapKindFor(provider, Client), Throws.ArgumentException);
    }

    [Test]
    public void Contract_OfNoOwnerOrNoName_IsBroken()
    {
        var noOwner = new FakeProvider("bar", DeviceId.None, Range(0x1000, 1), default, Kind(P2pMapKind.BusAddress));
        Assert.That(() => P2pProviderContract.ThrowIfBroken(noOwner), Throws.ArgumentException.With.Message.Contains("Owner"));
        Assert.That(static () => P2pProviderContract.ThrowIfBroken(new FakeProvider("", Range(0, 1))), Throws.ArgumentException.With.Message.Contains("Name"));
    }

    [Test]
    public void Contract_OfBusAddressesThatFollowNoOffset_IsBroken()
    {
        var provider = new OddProvider { IsLinear = false };
        Assert.That(() => P2pProviderContract.ThrowIfBroken(provider), Throws.ArgumentException.With.Message.Contains("ToBusAddress"));
        Assert.That(() => P2pProviderContract.ToBusAddress(provider, new PhysAddr(0x1800)), Throws.ArgumentException);
    }

    [Test]
    public void Contract_OfAnAnswerOutsideTheAperture_IsBroken() =>
        Assert.That(
            static () => P2pProviderContract.ThrowIfBroken(new OddProvider { IsLinear = true }),
            Throws.ArgumentException.With.Message.Contains("must throw"));

    [Test]
    public void Contract_OfAnApertureThatMoves_IsBroken() =>
        Assert.That(
            static () => P2pProviderContract.ThrowIfBroken(new OddProvider { IsLinear = true, Moves = true }),
            Throws.ArgumentException.With.Message.Contains("never change"));

    [Test]
    public void Contract_IsHeldAtRegistration() =>
        Assert.That(
            static () => new ProviderMap().TryRegister(new OddProvider { IsLinear = false }, out _), Throws.ArgumentException);

    private static Func<DeviceId, P2pMapKind> Kind(P2pMapKind kind) => _ => kind;

    // Answers for every address, and squares the distance unless it is linear.
    private sealed class OddProvider : IP2pProvider
    {
        private ulong moved;

        public bool IsLinear { get; init; }

        public bool Moves { get; init; }

        public string Name => "odd";

        public DeviceId Owner => new(1);

        public PhysRange Aperture => Range(0x1000 + (Moves ? moved++ : 0), 0x1000);

        public ValidityToken Validity => default;

        public P2pMapKind MapKindFor(DeviceId client) => P2pMapKind.BusAddress;

        public DmaAddr ToBusAddress(PhysAddr address)
        {
            ulong distance = unchecked(address.Value - 0x1000);
            return new DmaAddr(unchecked(IsLinear ? distance : distance * distance));
        }
    }
}
