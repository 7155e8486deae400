using Mm.Core.PhysRanges;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>The verdicts of one snapshot under one set of rules: worked out when asked, kept per pair.</summary>
/// <remarks>
/// Owns the verdict of each pair. Works on indexes of the snapshot; a verdict is one walk up both sides.
/// <para><b>Linux:</b> calc_map_type_and_dist (drivers/pci/p2pdma.c, v6.12).</para>
/// <para><b>Locking:</b> none; a row is published whole, and a verdict worked out twice is the same both times.</para>
/// </remarks>
internal sealed class RoutingTable
{
    private readonly byte[] acs;
    private readonly int[] depths;
    private readonly bool?[] cpuAllows;

    // Rows by provider, made when first asked; a slot is one aligned 4-byte word, written whole.
    private readonly P2pVerdict[]?[] rows;

    public RoutingTable(TopologySnapshot snapshot, P2pRules rules)
    {
        Snapshot = snapshot;
        Rules = rules;
        HostBridges = new HostBridgeRule(snapshot, rules);
        int count = snapshot.Functions.Count;
        acs = new byte[count];
        depths = new int[count];
        cpuAllows = new bool?[count];
        rows = new P2pVerdict[count][];
        var cpus = snapshot.Hosts.ToDictionary(host => host.Id, host => rules.CpuCarriesPeerTraffic(host.Cpu));
        for (int i = 0; i < count; i++)
        {
            PciFunction function = snapshot.Functions[i];
            acs[i] = (byte)AcsOf(function, rules);
            depths[i] = Depth(i);
            cpuAllows[i] = cpus[function.Host];
        }
    }

    public TopologySnapshot Snapshot { get; }

    public P2pRules Rules { get; }

    public HostBridgeRule HostBridges { get; }

    /// <summary>What ACS does to peer traffic at a function.</summary>
    public static AcsEffect AcsOf(PciFunction function, P2pRules rules)
    {
        if (!function.Acs.IsKnown)
        {
            return AcsEffect.Unknown;
        }

        return (function.Acs.Bits & rules.RedirectBits) == AcsBits.None ? AcsEffect.Passes : AcsEffect.Redirects;
    }

    /// <summary>The verdict of a pair, from the cache if it was asked before.</summary>
    public P2pVerdict Decide(int provider, int client)
    {
        P2pVerdict[]? row = Volatile.Read(ref rows[provider]);
        if (row is null)
        {
            row = new P2pVerdict[rows.Length];
            Volatile.Write(ref rows[provider], row);
        }

        if (row[client].Kind == P2pMapKind.Unknown)
        {
            row[client] = Compute(provider, client);
        }

        return row[client];
    }

    /// <summary>The lowest bridge above both, or the function itself where they are one; -1 where there is none.</summary>
    public int CommonOf(int provider, int client)
    {
        ReadOnlySpan<int> parents = Snapshot.ParentIndexes;
        while (provider != client && provider >= 0 && client >= 0)
        {
            if (depths[provider] >= depths[client])
            {
                provider = parents[provider];
            }
            else
            {
                client = parents[client];
            }
        }

        return provider == client ? provider : -1;
    }

    /// <summary>What the CPU rule and the allow list together say of a pair that goes through the root.</summary>
    public bool? IsAllowedThroughRoot(int provider, int client)
    {
        bool? cpu = cpuAllows[provider];
        if (cpu == true)
        {
            return true;
        }

        bool? list = HostBridges.IsAllowed(Snapshot.BridgeIndexes[provider], Snapshot.BridgeIndexes[client]);
        if (list == true)
        {
            return true;
        }

        return cpu is null || list is null ? null : false;
    }

    /// <summary>
    /// Whether two functions without a common listed bridge share one that the source leaves out: their topmost listed
    /// functions sit on one bus, which is no root bus, and a bus has one bridge above.
    /// </summary>
    public bool ShareUnlistedPort(int provider, int client)
    {
        if ((Snapshot.Omissions & TopologyOmissions.Ports) == TopologyOmissions.None)
        {
            return false;
        }

        PciFunction top = TopOf(provider);
        PciFunction other = TopOf(client);
        return top.Host == other.Host
            && top.Address.BusId == other.Address.BusId
            && top.HostBridge != top.Address.BusId
            && top.PortType != PciPortType.VirtualSwitch
            && other.PortType != PciPortType.VirtualSwitch;
    }

    private P2pVerdict Compute(int provider, int client)
    {
        if (Snapshot.Functions[provider].Host != Snapshot.Functions[client].Host)
        {
            return new P2pVerdict(P2pMapKind.NotSupported, hops: -1, possible: 0, isLowerBound: false);
        }

        bool omitsPorts = (Snapshot.Omissions & TopologyOmissions.Ports) != TopologyOmissions.None && provider != client;
        int common = CommonOf(provider, client);
        int hops = CountHops(provider, client, common);
        if (common >= 0)
        {
            bool? redirects = Redirects(provider, client, common);
            return Judge(provider, client, hops, omitsPorts && redirects == false ? null : redirects, omitsPorts);
        }

        if (omitsPorts && ShareUnlistedPort(provider, client))
        {
            return Judge(provider, client, hops, redirects: null, isLowerBound: true);
        }

        return Judge(provider, client, hops, redirects: true, omitsPorts);
    }

    private P2pVerdict Judge(int provider, int client, int hops, bool? redirects, bool isLowerBound)
    {
        uint possible = 0;
        if (redirects != true)
        {
            possible |= P2pVerdict.Bit(P2pMapKind.BusAddress);
        }

        P2pMapKind throughRoot = P2pMapKind.NotSupported;
        if (redirects != false)
        {
            bool? allowed = IsAllowedThroughRoot(provider, client);
            throughRoot = allowed == true ? P2pMapKind.ThroughHostBridge : P2pMapKind.NotSupported;
            possible |= allowed != false ? P2pVerdict.Bit(P2pMapKind.ThroughHostBridge) : 0;
            possible |= allowed != true ? P2pVerdict.Bit(P2pMapKind.NotSupported) : 0;
        }

        P2pMapKind kind = redirects == true ? throughRoot : P2pMapKind.BusAddress;
        return new P2pVerdict(kind, hops, possible, isLowerBound);
    }

    private int CountHops(int provider, int client, int common)
    {
        int floor = common < 0 ? 0 : depths[common];
        int clientHops = Rules.CountsClientHops ? depths[client] - floor : 0;
        return depths[provider] - floor + clientHops;
    }

    private bool? Redirects(int provider, int client, int common)
    {
        AcsEffect worst = AcsEffect.Passes;
        ReadOnlySpan<int> parents = Snapshot.ParentIndexes;
        for (int at = provider; at != common; at = parents[at])
        {
            worst = Worse(worst, at, at == provider ? AcsScope.Provider : AcsScope.ProviderBridges);
        }

        worst = Worse(worst, common, common == provider ? AcsScope.Provider : AcsScope.CommonBridge);
        for (int at = client; at != common; at = parents[at])
        {
            worst = Worse(worst, at, at == client ? AcsScope.Client : AcsScope.ClientBridges);
        }

        return worst switch
        {
            AcsEffect.Redirects => true,
            AcsEffect.Unknown => null,
            _ => false,
        };
    }

    private AcsEffect Worse(AcsEffect soFar, int function, AcsScope scope)
    {
        var here = (AcsEffect)acs[function];
        return (Rules.AcsScope & scope) != AcsScope.None && here > soFar ? here : soFar;
    }

    private int Depth(int index)
    {
        ReadOnlySpan<int> parents = Snapshot.ParentIndexes;
        int depth = 0;
        for (int at = index; at >= 0; at = parents[at])
        {
            depth++;
        }

        return depth;
    }

    private PciFunction TopOf(int index)
    {
        ReadOnlySpan<int> parents = Snapshot.ParentIndexes;
        int at = index;
        while (parents[at] >= 0)
        {
            at = parents[at];
        }

        return Snapshot.Functions[at];
    }
}
