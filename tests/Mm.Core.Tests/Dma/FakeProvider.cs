using Mm.Core.PhysRanges;

namespace Mm.Core.Tests.Dma;

/// <summary>A provider that says what a test tells it to.</summary>
internal sealed class FakeProvider(string name, DeviceId owner, PhysRange aperture, ulong busOffset = 0) : IP2pProvider
{
    private readonly ValiditySource validity = new();

    public string Name { get; } = name;

    public DeviceId Owner { get; } = owner;

    public PhysRange Aperture { get; } = aperture;

    public P2pMapKind Kind { get; set; } = P2pMapKind.BusAddress;

    public int Questions { get; private set; }

    public ValidityToken Validity => validity.Token;

    public P2pMapKind MapKindFor(DeviceId client)
    {
        Questions++;
        return Kind;
    }

    public DmaAddr ToBusAddress(PhysAddr address) =>
        Aperture.Contains(address)
            ? new DmaAddr(unchecked(address.Value + busOffset))
            : throw new ArgumentOutOfRangeException(nameof(address));

    public void Die()
    {
        Kind = P2pMapKind.NotSupported;
        validity.Invalidate();
    }
}
