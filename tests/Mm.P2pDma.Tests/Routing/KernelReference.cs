using Mm.Core.PhysRanges;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Routing;

/// <summary>The brute-force twin of routing: lists every ancestor and compares all with all. Knows nothing of what is not known.</summary>
internal static class KernelReference
{
    private static readonly Dictionary<(int Vendor, int Device), bool> SameBridgeOnly = new()
    {
        [(0x8086, 0x3c00)] = true,
        [(0x8086, 0x3c01)] = true,
        [(0x8086, 0x2f00)] = true,
        [(0x8086, 0x2f01)] = true,
        [(0x8086, 0x2030)] = false,
        [(0x8086, 0x2031)] = false,
        [(0x8086, 0x2032)] = false,
        [(0x8086, 0x2033)] = false,
        [(0x8086, 0x2020)] = false,
        [(0x8086, 0x09a2)] = false,
    };

    public static (P2pMapKind Kind, int Hops) Decide(
        IReadOnlyList<PciFunction> functions, CpuIdentity cpu, PciAddress provider, PciAddress client)
    {
        var byAddress = functions.ToDictionary(function => function.Address);
        List<PciFunction> up = Ancestors(byAddress, provider);
        List<PciFunction> down = Ancestors(byAddress, client);
        var meetings =
            (from i in Enumerable.Range(0, up.Count)
             from j in Enumerable.Range(0, down.Count)
             where up[i].Address == down[j].Address
             orderby i + j
             select (Up: i, Down: j)).ToList();
        bool isAllowed = (cpu.Vendor == CpuVendor.Amd && cpu.Family >= 0x17)
            || IsListed(functions, up[0].HostBridge!.Value, down[0].HostBridge!.Value);
        P2pMapKind throughRoot = isAllowed ? P2pMapKind.ThroughHostBridge : P2pMapKind.NotSupported;
        if (meetings.Count == 0)
        {
            return (throughRoot, up.Count + down.Count);
        }

        (int upTo, int downTo) = meetings[0];
        bool redirects = up.Take(upTo + 1).Concat(down.Take(downTo))
            .Any(function => function.Acs.IsPresent && ((int)function.Acs.Bits & 0x2c) != 0);
        return (redirects ? throughRoot : P2pMapKind.BusAddress, upTo + downTo);
    }

    private static bool IsListed(IReadOnlyList<PciFunction> functions, PciBusId one, PciBusId other)
    {
        return Allows(one) && Allows(other);

        bool Allows(PciBusId bridge)
        {
            PciFunction first = functions.First(function => function.Parent is null && function.HostBridge == bridge);
            bool isAsked = first.Address is { Device: 0, Function: 0 } || first.PortType == PciPortType.RootPort;
            return isAsked
                && first.Id is { } id
                && SameBridgeOnly.TryGetValue((id.Vendor, id.Device), out bool sameOnly)
                && (!sameOnly || one == other);
        }
    }

    private static List<PciFunction> Ancestors(Dictionary<PciAddress, PciFunction> byAddress, PciAddress from)
    {
        var chain = new List<PciFunction>();
        for (PciAddress? at = from; at is { } address; at = byAddress[address].Parent)
        {
            chain.Add(byAddress[address]);
        }

        return chain;
    }
}
