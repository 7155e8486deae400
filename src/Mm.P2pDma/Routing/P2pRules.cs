using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>The rules by which a kernel decides whether a client reaches a provider: its tables and thresholds, as data.</summary>
/// <remarks>
/// <para><b>Linux:</b> pci_p2pdma_whitelist, cpu_supports_p2pdma and the bits of pci_bridge_has_acs_redir
/// (drivers/pci/p2pdma.c, v6.12). Newer lists were read in stored copies of later trees; see each.</para>
/// <para>Immutable; mix with <c>P2pRules.Linux612 with { … }</c>.</para>
/// </remarks>
public sealed record P2pRules
{
    private const ushort Intel = 0x8086;
    private const ushort Google = 0x1ae0;
    private const ushort Nvidia = 0x10de;
    private const ushort Zhaoxin = 0x1d17;

    private static readonly HostBridgeEntry[] Entries612 =
    [
        new(Intel, 0x3c00, true, "Intel Xeon E5 / Core i7"),
        new(Intel, 0x3c01, true, "Intel Xeon E5 / Core i7"),
        new(Intel, 0x2f00, true, "Intel Xeon E5 v3 / E7 v3"),
        new(Intel, 0x2f01, true, "Intel Xeon E5 v3 / E7 v3"),
        new(Intel, 0x2030, false, "Intel Skylake-E root port A"),
        new(Intel, 0x2031, false, "Intel Skylake-E root port B"),
        new(Intel, 0x2032, false, "Intel Skylake-E root port C"),
        new(Intel, 0x2033, false, "Intel Skylake-E root port D"),
        new(Intel, 0x2020, false, "Intel Skylake-E DMI"),
        new(Intel, 0x09a2, false, "Intel Ice Lake and later"),
    ];

    private static readonly HostBridgeEntry[] EntriesOfAccelerators =
    [
        new(Intel, 0x0b25, false, "Intel Sapphire Rapids DSA"),
        new(Intel, 0x0cfe, false, "Intel Sapphire Rapids IAX"),
        new(Intel, 0x11fb, false, "Intel Granite Rapids-D DSA"),
        new(Intel, 0x1212, false, "Intel Diamond Rapids DSA"),
        new(Intel, 0x1216, false, "Intel Diamond Rapids IAA"),
        new(Intel, 0x4940, false, "Intel QAT 4xxx"),
        new(Intel, 0x4942, false, "Intel QAT 401xx"),
        new(Intel, 0x4944, false, "Intel QAT 402xx"),
        new(Intel, 0x4946, false, "Intel QAT 420xx"),
        new(Intel, 0x4948, false, "Intel QAT 6xxx"),
    ];

    private static readonly HostBridgeEntry[] EntriesOfOthers =
    [
        new(Nvidia, 0x2f95, false, "NVIDIA CPU"),
        new(Nvidia, 0x2f96, false, "NVIDIA CPU"),
        new(Nvidia, 0x2f97, false, "NVIDIA CPU"),
        new(Nvidia, 0x2f98, false, "NVIDIA CPU"),
        new(Zhaoxin, 0x1003, true, "Zhaoxin KX-6000 and later"),
        new(Zhaoxin, 0x1005, true, "Zhaoxin KX-6000 and later"),
        new(Zhaoxin, 0x1006, true, "Zhaoxin KX-6000 and later"),
        new(Zhaoxin, 0x1007, true, "Zhaoxin KX-6000 and later"),
        new(Zhaoxin, 0x1008, false, "Zhaoxin KH-50000"),
    ];

    private static readonly HostBridgeEntry GoogleEntry = new(Google, null, false, "Google SoC");

    /// <summary>Linux 6.12, the reference: what the recordings hold Mm to.</summary>
    public static P2pRules Linux612 { get; } = new() { Name = "Linux 6.12", AllowList = Entries612 };

    /// <summary>Linux 6.19: Google SoCs are listed too, by vendor alone.</summary>
    public static P2pRules Linux619 { get; } = new() { Name = "Linux 6.19", AllowList = [.. Entries612, GoogleEntry] };

    /// <summary>
    /// The longest list seen in a stored development tree after 6.19: Intel's accelerators, NVIDIA's CPUs and Zhaoxin's.
    /// Which release each entry went into is not confirmed.
    /// </summary>
    public static P2pRules Latest { get; } = new()
    {
        Name = "Linux after 6.19",
        AllowList = [.. Entries612, .. EntriesOfAccelerators, GoogleEntry, .. EntriesOfOthers],
    };

    /// <summary>What reports call these rules.</summary>
    public required string Name { get; init; }

    /// <summary>The host bridges that carry peer traffic; the first entry that matches decides.</summary>
    public required IReadOnlyList<HostBridgeEntry> AllowList { get; init; }

    /// <summary>The ACS bits that send peer traffic through the root.</summary>
    public AcsBits RedirectBits { get; init; } = AcsBits.Redirects;

    /// <summary>The first AMD family of which every CPU carries peer traffic: Zen.</summary>
    public int AmdFamilyFrom { get; init; } = 0x17;

    /// <summary>Whether AMD's CPU rule exists at all.</summary>
    internal bool HasCpuRule { get; init; } = true;

    /// <summary>Whether entries that want one host bridge get it.</summary>
    internal bool HonoursSameHostBridge { get; init; } = true;

    /// <summary>Whether, between two host bridges, both are asked.</summary>
    internal bool AsksBothHostBridges { get; init; } = true;

    /// <summary>Whether the hops of the client's side count.</summary>
    internal bool CountsClientHops { get; init; } = true;

    internal AcsScope AcsScope { get; init; } = AcsScope.All;

    internal FirstDeviceRule FirstDevice { get; init; }

    /// <summary>The rules of a profile's version: the newest that are not newer.</summary>
    /// <param name="version">A Linux version.</param>
    /// <returns>The rules; v6.12's for older ones too.</returns>
    public static P2pRules ForVersion(Version version)
    {
        ArgumentNullException.ThrowIfNull(version);
        if (version > new Version(6, 19, int.MaxValue))
        {
            return Latest;
        }

        return version >= new Version(6, 19) ? Linux619 : Linux612;
    }

    /// <summary>What the CPU rule says of a host.</summary>
    /// <param name="cpu">Its CPUs.</param>
    /// <returns>Whether every host bridge of it carries peer traffic; <see langword="null"/> where that is not known.</returns>
    public bool? CpuCarriesPeerTraffic(CpuIdentity cpu) => cpu.Vendor switch
    {
        _ when !HasCpuRule => false,
        CpuVendor.Unknown => null,
        CpuVendor.Amd => cpu.Family is { } family ? family >= AmdFamilyFrom : null,
        _ => false,
    };

    /// <summary>The first entry that speaks of an identity.</summary>
    /// <param name="id">The identity of the first device on a root bus.</param>
    /// <returns>The entry; <see langword="null"/> where there is none.</returns>
    public HostBridgeEntry? Find(PciId id)
    {
        foreach (HostBridgeEntry entry in AllowList)
        {
            if (entry.Matches(id))
            {
                return entry;
            }
        }

        return null;
    }

    /// <summary>The rules' name.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Name;
}
