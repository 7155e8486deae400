using Mm.Core.Checks;

namespace Mm.Core.PhysRanges;

/// <summary>What every <see cref="IP2pProvider"/> promises, as code: for the tests of whoever writes one, and for Mm's own calls.</summary>
/// <remarks>
/// <see cref="MapKindFor"/> and <see cref="ToBusAddress"/> call the provider and check its answer where
/// <see cref="Check.Enabled"/>; <see cref="ThrowIfBroken(IP2pProvider, ReadOnlySpan{DeviceId})"/> asks everything at once.
/// A broken promise is a mistake of the provider's author, hence an <see cref="ArgumentException"/>.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class P2pProviderContract
{
    /// <summary>Asks a provider for the kind of a client's path, and checks the answer where checks are on.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="client">The device that does the DMA.</param>
    /// <returns>The kind.</returns>
    /// <exception cref="ArgumentException">The answer is none of the three that the contract allows.</exception>
    public static P2pMapKind MapKindFor(IP2pProvider provider, DeviceId client)
    {
        ArgumentNullException.ThrowIfNull(provider);
        P2pMapKind kind = provider.MapKindFor(client);
        if (Check.Enabled)
        {
            Require(
                kind is P2pMapKind.NotSupported or P2pMapKind.BusAddress or P2pMapKind.ThroughHostBridge,
                provider,
                $"MapKindFor({client}) must be NotSupported, BusAddress or ThroughHostBridge; it is {kind}");
        }

        return kind;
    }

    /// <summary>Asks a provider for the bus address of a byte, and checks the answer where checks are on.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="address">An address in its aperture.</param>
    /// <returns>The bus address.</returns>
    /// <exception cref="ArgumentException">The address is not at the offset that the aperture's first byte has.</exception>
    public static DmaAddr ToBusAddress(IP2pProvider provider, PhysAddr address)
    {
        ArgumentNullException.ThrowIfNull(provider);
        DmaAddr bus = provider.ToBusAddress(address);
        if (Check.Enabled)
        {
            RequireOffset(provider, address, bus);
        }

        return bus;
    }

    /// <summary>Holds a provider against its whole contract.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="clients">Devices to ask it for.</param>
    /// <exception cref="ArgumentException">It breaks a promise; the message says which.</exception>
    public static void ThrowIfBroken(IP2pProvider provider, params ReadOnlySpan<DeviceId> clients)
    {
        ArgumentNullException.ThrowIfNull(provider);
        PhysRange aperture = provider.Aperture;
        Require(!string.IsNullOrEmpty(provider.Name), provider, "Name must not be empty");
        Require(provider.Owner.IsKnown, provider, "Owner must be a device");
        Require(
            aperture == provider.Aperture && provider.Name == provider.Name && provider.Owner == provider.Owner,
            provider,
            "Aperture, Owner and Name must never change");
        foreach (DeviceId client in clients)
        {
            P2pMapKind kind = provider.MapKindFor(client);
            Require(
                kind is P2pMapKind.NotSupported or P2pMapKind.BusAddress or P2pMapKind.ThroughHostBridge,
                provider,
                $"MapKindFor({client}) must be NotSupported, BusAddress or ThroughHostBridge; it is {kind}");
        }

        if (!aperture.IsEmpty)
        {
            RequireAddresses(provider, aperture);
        }
    }

    private static void RequireAddresses(IP2pProvider provider, PhysRange aperture)
    {
        PhysAddr last = aperture.Start.AddChecked(new ByteCount(aperture.Length.Value - 1));
        PhysAddr middle = aperture.Start.AddChecked(new ByteCount(aperture.Length.Value / 2));
        RequireOffset(provider, middle, provider.ToBusAddress(middle));
        RequireOffset(provider, last, provider.ToBusAddress(last));
        if (aperture.TryGetEnd(out PhysAddr end))
        {
            RequireRefused(provider, end);
        }

        if (aperture.Start != PhysAddr.Zero)
        {
            RequireRefused(provider, new PhysAddr(aperture.Start.Value - 1));
        }
    }

    // Bus offset modulo 2^64: a host may have its devices' addresses below the CPU's.
    private static void RequireOffset(IP2pProvider provider, PhysAddr address, DmaAddr bus)
    {
        PhysAddr first = provider.Aperture.Start;
        ulong offset = unchecked(provider.ToBusAddress(first).Value - first.Value);
        ulong expected = unchecked(address.Value + offset);
        Require(
            bus.Value == expected,
            provider,
            $"ToBusAddress({address}) must be 0x{expected:x}, at the offset of the aperture's first byte; it is {bus}");
    }

    private static void RequireRefused(IP2pProvider provider, PhysAddr outside)
    {
        bool refused = false;
        try
        {
            _ = provider.ToBusAddress(outside);
        }
        catch (ArgumentOutOfRangeException)
        {
            refused = true;
        }

        Require(refused, provider, $"ToBusAddress({outside}) must throw: the address is not in {provider.Aperture}");
    }

    private static void Require(bool holds, IP2pProvider provider, string promise)
    {
        if (!holds)
        {
            throw new ArgumentException($"provider '{provider.Name}' breaks its contract: {promise}", nameof(provider));
        }
    }
}
