namespace Mm.Core.PhysRanges;

/// <summary>One aperture of peer memory, a whole BAR as a rule: who owns it, and how a client's address for it is made.</summary>
/// <remarks>
/// A provider allocates nothing and may have no page descriptors: the driver that owns the memory stays its only
/// allocator, and a p2pmem pool is one user of a provider, not part of it.
/// Users add providers of their own; whoever does holds them against <c>P2pProviderContract</c>.
/// <para><b>Linux:</b> struct p2pdma_provider (v6.19); in v6.12 the same facts sit in struct pci_p2pdma_pagemap.</para>
/// <para><b>Invariants:</b> (1) <see cref="Aperture"/>, <see cref="Owner"/> and <see cref="Name"/> never change;
/// (2) after <see cref="Validity"/> was invalidated for good, <see cref="MapKindFor"/> answers
/// <see cref="P2pMapKind.NotSupported"/>.</para>
/// <para><b>Locking:</b> every member is called from any thread, with no lock of Mm held but a
/// shared buffer's reservation, and must not block.</para>
/// </remarks>
public interface IP2pProvider
{
    /// <summary>What reports and reasons call it, as <c>0000:41:00.0 BAR 2</c>.</summary>
    string Name { get; }

    /// <summary>The device whose memory this is.</summary>
    DeviceId Owner { get; }

    /// <summary>The physical addresses that it answers for; at byte granularity, aligned to nothing.</summary>
    PhysRange Aperture { get; }

    /// <summary>A token that dies when a verdict or address given so far may no longer hold: ACS or topology changed, the device left.</summary>
    ValidityToken Validity { get; }

    /// <summary>How the client reaches this aperture.</summary>
    /// <param name="client">The device that does the DMA.</param>
    /// <returns>The kind; never <see cref="P2pMapKind.Unknown"/> or <see cref="P2pMapKind.NotPeer"/>.</returns>
    P2pMapKind MapKindFor(DeviceId client);

    /// <summary>The address that a peer puts on the bus for a byte of the aperture, where <see cref="MapKindFor"/> says <see cref="P2pMapKind.BusAddress"/>.</summary>
    /// <param name="address">An address in <see cref="Aperture"/>.</param>
    /// <returns>The bus address: the physical address plus the provider's bus offset.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The address is not in the aperture.</exception>
    DmaAddr ToBusAddress(PhysAddr address);
}
