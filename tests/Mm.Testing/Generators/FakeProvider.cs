using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Testing.Generators;

/// <summary>A provider that answers what it is told to: for tests of whoever uses providers.</summary>
/// <param name="name">Its name.</param>
/// <param name="owner">Its device.</param>
/// <param name="aperture">Its addresses.</param>
/// <param name="busStart">The bus address of the aperture's first byte.</param>
/// <param name="kindFor">The kind for a client.</param>
public sealed class FakeProvider(
    string name, DeviceId owner, PhysRange aperture, DmaAddr busStart, Func<DeviceId, P2pMapKind> kindFor) : IP2pProvider
{
    private readonly ValiditySource validity = new();

    /// <summary>Makes a provider of device 1 that every client reaches directly, at bus addresses equal to the physical ones.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="aperture">Its addresses.</param>
    public FakeProvider(string name, PhysRange aperture)
        : this(name, new DeviceId(1), aperture, new DmaAddr(aperture.Start.Value), static _ => P2pMapKind.BusAddress)
    {
    }

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public DeviceId Owner => owner;

    /// <inheritdoc/>
    public PhysRange Aperture => aperture;

    /// <inheritdoc/>
    public ValidityToken Validity => validity.Token;

    /// <inheritdoc/>
    public P2pMapKind MapKindFor(DeviceId client) => kindFor(client);

    /// <inheritdoc/>
    public DmaAddr ToBusAddress(PhysAddr address) =>
        aperture.Contains(address)
            ? new DmaAddr(unchecked(busStart.Value + (address.Value - aperture.Start.Value))) // bus addresses may wrap
            : throw new ArgumentOutOfRangeException(nameof(address), address, $"address must lie in {aperture}");

    /// <summary>Ends every verdict and address given so far.</summary>
    public void Invalidate() => validity.Invalidate();

    /// <summary>The name and aperture.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{name} {aperture}";
}
