namespace Mm.Core.PhysRanges;

/// <summary>The lease on a place in a <see cref="ProviderMap"/>: disposing it takes the providers out.</summary>
/// <remarks>
/// The device's driver disposes it before the device goes: from then on the addresses have no provider and every new
/// mapping of them fails. It revokes no live mapping; that is the provider's validity.
/// <para><b>Locking:</b> safe from any thread; the first <see cref="Dispose"/> counts.</para>
/// </remarks>
public sealed class ProviderRegistration : IDisposable
{
    private readonly ProviderMap map;
    private RangeOwner[]? owners; // atomic: the exchange in Dispose lets one caller through

    internal ProviderRegistration(ProviderMap map, RangeOwner[] owners)
    {
        this.map = map;
        this.owners = owners;
    }

    /// <summary>Takes the providers out of the map. Disposing twice is harmless.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref owners, null) is { } leaving)
        {
            map.Unregister(leaving);
        }
    }
}
