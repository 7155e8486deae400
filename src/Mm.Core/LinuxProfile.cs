namespace Mm.Core;

/// <summary>Which Linux a machine behaves as, where versions differ: the differences as data.</summary>
/// <remarks>
/// The default is v6.12. A member names a rule, not a version, so that a user can mix: <c>LinuxProfile.V612 with { … }</c>.
/// Tables that belong to one room, as the host-bridge allow list, stay there and go by <see cref="Version"/>.
/// <para>Immutable.</para>
/// </remarks>
public sealed record LinuxProfile
{
    /// <summary>Linux 6.12, the reference.</summary>
    public static LinuxProfile V612 { get; } = new() { Version = new Version(6, 12) };

    /// <summary>
    /// Linux 6.19: idle P2PDMA and FS_DAX pages are at zero references, providers exist without pages, pages of 2 MiB migrate to
    /// devices whole, and pages become device-exclusive one by one and stay so when they fail to leave a device.
    /// </summary>
    public static LinuxProfile V619 { get; } = new()
    {
        Version = new Version(6, 19),
        IdleDevicePagesHoldReference = false,
        HasP2pProviders = true,
        MigratesLargePages = true,
        MakesPagesExclusiveSingly = true,
        FailedMovesEndExclusive = false,
    };

    /// <summary>The version that the tables of rooms go by.</summary>
    public required Version Version { get; init; }

    /// <summary>
    /// Whether an idle page of FS_DAX or PCI_P2PDMA memory sits at one reference, as in v6.12; from v6.15 at zero.
    /// The change left a bug behind (CVE-2026-46268), which is why both are modelled.
    /// </summary>
    public bool IdleDevicePagesHoldReference { get; init; } = true;

    /// <summary>Whether peer memory may be described by a provider alone, without page descriptors (struct p2pdma_provider, v6.19).</summary>
    public bool HasP2pProviders { get; init; }

    /// <summary>
    /// Whether private device memory has pages of 2 MiB, and memory moves there and back in one piece when a migration asks for it
    /// (MIGRATE_VMA_SELECT_COMPOUND, v6.19). In v6.12 whatever is larger than 4 KiB is broken up first.
    /// </summary>
    public bool MigratesLargePages { get; init; }

    /// <summary>
    /// Whether a page becomes device-exclusive by itself (make_device_exclusive, v6.15): its lock is waited for, one entry is taken
    /// and no other, parts of larger pages will do. In v6.12 (make_device_exclusive_range) a locked page is passed over, and a page
    /// goes with all entries that map it.
    /// </summary>
    public bool MakesPagesExclusiveSingly { get; init; }

    /// <summary>
    /// Whether a page that was to leave a device and stays loses its device-exclusive entries: v6.12 takes them for entries of
    /// migration (remove_migration_ptes). The page is mapped again, read-only, and a reference of it is lost with each such entry,
    /// so that it never moves again and is not freed before all spaces end. From v6.15 the entries stay.
    /// </summary>
    public bool FailedMovesEndExclusive { get; init; } = true;

    /// <summary>The version as <c>Linux 6.12</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"Linux {Version}";
}
