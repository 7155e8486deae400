namespace Mm.Core.PhysRanges;

/// <summary>Who owns the bytes of a range: RAM, one page map, one provider, or a device window.</summary>
/// <remarks>
/// An identity: two owners are the same only if they are the same object. Each page map and each registered
/// provider has one of its own; all RAM shares <see cref="Ram"/>. It owns no memory and keeps none alive.
/// <para><b>Linux:</b> the pgmap that zone_device_pages_have_same_pgmap() compares (v6.12), and the provider that
/// v6.19 hands along with a phys_vec.</para>
/// <para><b>Invariants:</b> (1) kind <see cref="RangeOwnerKind.PeerPagemap"/> and
/// <see cref="RangeOwnerKind.Provider"/> have a provider, the other kinds have none.</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed class RangeOwner
{
    private RangeOwner(string name, RangeOwnerKind kind, IP2pProvider? provider)
    {
        Name = name;
        Kind = kind;
        Provider = provider;
    }

    /// <summary>All RAM. Ranges of RAM merge whatever node or zone they lie in, as in a scatterlist.</summary>
    public static RangeOwner Ram { get; } = new("RAM", RangeOwnerKind.Ram, provider: null);

    /// <summary>What reports call it.</summary>
    public string Name { get; }

    /// <summary>What kind of memory it is.</summary>
    public RangeOwnerKind Kind { get; }

    /// <summary>The provider of peer memory; null for memory that is none.</summary>
    public IP2pProvider? Provider { get; }

    /// <summary>Whether the bytes have page descriptors, so that a scatterlist or a bio can name them.</summary>
    public bool HasPages => Kind is RangeOwnerKind.Ram or RangeOwnerKind.Pagemap or RangeOwnerKind.PeerPagemap;

    /// <summary>Whether the bytes are peer memory: another device reaches them only as the provider says.</summary>
    public bool IsPeer => Provider is not null;

    /// <summary>Makes the owner that stands for one page map.</summary>
    /// <param name="name">What reports call the page map.</param>
    /// <param name="provider">Its provider if it is a PCI_P2PDMA page map, else null.</param>
    /// <returns>A new identity.</returns>
    public static RangeOwner ForPagemap(string name, IP2pProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        RangeOwnerKind kind = provider is null ? RangeOwnerKind.Pagemap : RangeOwnerKind.PeerPagemap;
        return new RangeOwner(name, kind, provider);
    }

    /// <summary>Makes the owner that stands for a provider's aperture without page descriptors.</summary>
    /// <param name="provider">The provider.</param>
    /// <returns>A new identity.</returns>
    public static RangeOwner ForProvider(IP2pProvider provider)
    {
        ArgumentNullException.ThrowIfNull(provider);
        return new RangeOwner(provider.Name, RangeOwnerKind.Provider, provider);
    }

    /// <summary>Makes the owner that stands for a device window with neither page descriptors nor a provider.</summary>
    /// <param name="name">What reports call the window.</param>
    /// <returns>A new identity.</returns>
    public static RangeOwner ForDeviceWindow(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new RangeOwner(name, RangeOwnerKind.DeviceWindow, provider: null);
    }

    /// <summary>The name and kind, as <c>0000:41:00.0 BAR 2 (Provider)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name} ({Kind})";
}
