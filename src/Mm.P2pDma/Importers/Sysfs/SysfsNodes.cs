using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Reads the NUMA nodes of a sysfs tree: their memory, their CPUs, and which of them are a GPU's memory.</summary>
/// <remarks>
/// <para><b>Linux:</b> /sys/devices/system/node (drivers/base/node.c, v6.12); NVIDIA's driver tells in
/// /proc/driver/nvidia/gpus which node a GPU's memory is.</para>
/// <para><b>Locking:</b> the caller's; one import, one reader.</para>
/// </remarks>
/// <param name="tree">The tree.</param>
/// <param name="log">Where errors go.</param>
internal sealed class SysfsNodes(SysfsTree tree, ImportLog log)
{
    private const string Folder = "sys/devices/system/node/";
    private const string CpuFolder = "sys/devices/system/cpu/";
    private const string Gpus = "proc/driver/nvidia/gpus/";

    private readonly SortedDictionary<int, NumaNode> nodes = [];
    private readonly SortedDictionary<int, SysfsCpuSet> cpus = [];
    private readonly Dictionary<int, int> packages = [];

    /// <summary>The nodes, ascending.</summary>
    internal IReadOnlyCollection<NumaNode> All => nodes.Values;

    /// <summary>Reads them.</summary>
    internal void Read()
    {
        foreach ((string path, byte[] bytes) in tree.Files)
        {
            string[] parts = path.Split('/');
            if (path.StartsWith(Folder, StringComparison.Ordinal) && TryIndex(parts[4], "node", NodeId.MaxIndex, out int node))
            {
                nodes.TryAdd(node, new NumaNode(new NodeId(node)));
                ReadNodeFile(node, parts[^1], path, bytes);
            }
            else if (path.StartsWith(CpuFolder, StringComparison.Ordinal)
                && TryIndex(parts[4], "cpu", SysfsCpuSet.MaxCpus - 1, out int cpu)
                && StrictNumber.TryDecimal(SysfsTree.Line(bytes), int.MaxValue, out ulong package))
            {
                packages[cpu] = (int)package;
            }
        }

        foreach ((int node, SysfsCpuSet set) in cpus)
        {
            nodes[node] = nodes[node] with { HasCpus = set.Count > 0, Package = CommonPackage(set) };
        }

        foreach ((string path, byte[] bytes) in tree.Files)
        {
            if (path.StartsWith(Gpus, StringComparison.Ordinal))
            {
                ReadGpu(path, bytes);
            }
        }
    }

    /// <summary>The package of a node.</summary>
    /// <param name="node">The node.</param>
    /// <returns>The package; null where not told.</returns>
    internal int? PackageOf(NodeId node) => nodes.TryGetValue(node.Index, out NumaNode? known) ? known.Package : null;

    /// <summary>The one node that has all CPUs of a set.</summary>
    /// <param name="set">The set.</param>
    /// <returns>The node; none where the set is empty, or spread over nodes.</returns>
    internal NodeId NearestTo(SysfsCpuSet set)
    {
        if (set.Count == 0)
        {
            return NodeId.None;
        }

        foreach ((int node, SysfsCpuSet own) in cpus)
        {
            if (set.IsWithin(own))
            {
                return new NodeId(node);
            }
        }

        return NodeId.None;
    }

    private static bool TryIndex(string name, string prefix, int max, out int index)
    {
        bool isIndex = StrictNumber.TryDecimal(
            name.StartsWith(prefix, StringComparison.Ordinal) ? name.AsSpan(prefix.Length) : "", (ulong)max, out ulong value);
        index = (int)value;
        return isIndex;
    }

    private void ReadNodeFile(int node, string file, string path, byte[] bytes)
    {
        if (file == "meminfo")
        {
            ReadMemory(node, path, bytes);
            return;
        }

        string text = SysfsTree.Line(bytes);
        bool isSet = file == "cpumap"
            ? SysfsCpuSet.TryMask(text, out SysfsCpuSet set)
            : SysfsCpuSet.TryList(text, out set);
        if (!isSet)
        {
            log.Error(tree.At(path, 1, 1), "not a set of CPUs", text, file == "cpumap" ? "words as 0000ff00" : "as 0-7,16-23");
            return;
        }

        cpus[node] = set;
    }

    // "Node 0 MemTotal:       16747124 kB"
    private void ReadMemory(int node, string path, byte[] bytes)
    {
        const string Key = "MemTotal:";
        int number = 0;
        foreach (ReadOnlySpan<char> line in Encoding.UTF8.GetString(bytes).AsSpan().EnumerateLines())
        {
            number++;
            int at = line.IndexOf(Key);
            if (at < 0)
            {
                continue;
            }

            ReadOnlySpan<char> value = line[(at + Key.Length)..].Trim();
            ReadOnlySpan<char> digits = value.EndsWith(" kB") ? value[..^3] : value;
            if (!StrictNumber.TryDecimal(digits, ulong.MaxValue >> 10, out ulong kilobytes))
            {
                log.Error(tree.At(path, number, at + Key.Length + 1), "not a size of memory", value.ToString(), "decimal kB");
                return;
            }

            nodes[node] = nodes[node] with { Memory = new ByteCount(kilobytes << 10) };
            return;
        }
    }

    private int? CommonPackage(SysfsCpuSet set)
    {
        int? common = null;
        foreach ((int cpu, int package) in packages)
        {
            if (!set.Contains(cpu))
            {
                continue;
            }

            if (common is { } other && other != package)
            {
                return null;
            }

            common = package;
        }

        return common;
    }

    // "Node:      250", "Status:    online"; -1 where the GPU's memory is no node.
    private void ReadGpu(string path, byte[] bytes)
    {
        string text = SysfsTree.Line(bytes);
        bool isGpu = SysfsPath.TryAddress(path.Split('/')[4], out PciAddress address);
        if (isGpu && text.StartsWith("Node:", StringComparison.Ordinal)
            && StrictNumber.TryDecimal(text.AsSpan(5).Trim(), NodeId.MaxIndex, out ulong node)
            && nodes.TryGetValue((int)node, out NumaNode? known))
        {
            nodes[(int)node] = known with { Device = address };
        }
    }
}
