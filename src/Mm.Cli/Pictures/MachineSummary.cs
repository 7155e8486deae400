using Mm.P2pDma.Topologies;

namespace Mm.Cli.Pictures;

/// <summary>A machine in one line: how many of what.</summary>
internal static class MachineSummary
{
    /// <summary>Counts a machine's parts.</summary>
    public static string Of(TopologySnapshot machine)
    {
        int bridges = machine.Functions.Count(function => function.Class is { IsPciBridge: true });
        var words = new List<string>();
        Add(words, machine.Hosts.Count > 1 ? machine.Hosts.Count : 0, "host", "hosts");
        Add(words, machine.HostBridges.Count, "host bridge", "host bridges");
        Add(words, bridges, "bridge", "bridges");
        Add(words, machine.Functions.Count - bridges, "PCI function", "PCI functions");
        Add(words, machine.Functions.Count(DeviceRoles.IsGpu), "GPU", "GPUs");
        Add(words, machine.Functions.Count(DeviceRoles.IsNic), "NIC", "NICs");
        Add(words, machine.Functions.Count(DeviceRoles.IsNvme), "NVMe", "NVMe");
        Add(words, machine.Nodes.Count, "NUMA node", "NUMA nodes");
        return words.Count == 0 ? "an empty machine" : string.Join(", ", words);
    }

    private static void Add(List<string> words, int count, string one, string many)
    {
        if (count > 0)
        {
            words.Add($"{count} {(count == 1 ? one : many)}");
        }
    }
}
