namespace Mm.P2pDma.Providers;

/// <summary>For how long a provider keeps what it once found out about a client.</summary>
public enum VerdictKeeping
{
    /// <summary>Until the topology changes: the answers are always those of the machine as it is.</summary>
    UntilEdited = 0,

    /// <summary>
    /// For good, except that a question of distance finds out anew. <b>Linux:</b> pci_p2pdma.map_types (v6.12), which
    /// neither setpci nor hotplug clears.
    /// </summary>
    LikeLinux = 1,
}
