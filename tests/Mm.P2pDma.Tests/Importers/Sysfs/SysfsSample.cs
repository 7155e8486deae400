using System.Formats.Tar;
using System.Text;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

/// <summary>A small sysfs tree of our own, to be written as an archive (by the platform's writer, not ours) or as a folder.</summary>
/// <remarks>One root port with a GPU below, an NVMe device on the root bus, two NUMA nodes; 64-byte configs, as copied without root rights.</remarks>
internal sealed class SysfsSample
{
    internal const string Port = "sys/devices/pci0000:00/0000:00:01.0";
    internal const string Gpu = Port + "/0000:01:00.0";
    internal const string Nvme = "sys/devices/pci0000:00/0000:00:02.0";

    internal SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    internal SortedDictionary<string, string> Links { get; } = new(StringComparer.Ordinal);

    internal static SysfsSample Create()
    {
        var sample = new SysfsSample();
        sample.Text("proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n\nprocessor\t: 1\n");
        sample.Text("sys/devices/system/node/node0/meminfo", "\nNode 0 MemTotal:       16777216 kB\nNode 0 MemFree: 1 kB\n");
        sample.Text("sys/devices/system/node/node0/cpumap", "00000000,0000000f\n");
        sample.Text("sys/devices/system/node/node1/meminfo", "Node 1 MemTotal:       33554432 kB\n");
        sample.Text("sys/devices/system/node/node1/cpulist", "4-7\n");
        sample.Text("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
        sample.Text("sys/devices/system/cpu/cpu4/topology/physical_package_id", "1\n");
        sample.Function(Port, "0x8086", "0x2030", "0x060400", Bridge(1, 1));
        sample.Links[Port + "/driver"] = "../../../bus/pci/drivers/pcieport";
        sample.Text(Port + "/0000:00:01.0:pcie001/uevent", "");
        sample.Function(Gpu, "0x10de", "0x1db8", "0x030200", Endpoint(0x10de, 0x1db8, 0x030200));
        sample.Text(Gpu + "/numa_node", "0\n");
        sample.Text(Gpu + "/current_link_speed", "8.0 GT/s PCIe\n");
        sample.Text(Gpu + "/current_link_width", "16\n");
        sample.Text(Gpu + "/max_link_speed", "16.0 GT/s PCIe\n");
        sample.Text(Gpu + "/max_link_width", "255\n");
        sample.Text(
            Gpu + "/resource",
            "0x00000000f0000000 0x00000000f0ffffff 0x0000000000040200\n"
            + "0x0000004000000000 0x00000047ffffffff 0x000000000014220c\n"
            + "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
            + "0x0000000000000000 0x00000000000fffff 0x0000000020040200\n");
        sample.Text(Gpu + "/drm/card0/dev", "");
        sample.Links[Gpu + "/iommu_group"] = "../../../../kernel/iommu_groups/41";
        sample.Function(Nvme, "0x8086", "0x0953", "0x010802", Endpoint(0x8086, 0x0953, 0x010802));
        sample.Text(Nvme + "/numa_node", "-1\n");
        sample.Text(Nvme + "/local_cpus", "00000000,000000f0\n");
        sample.Text(Nvme + "/nvme/nvme0/nvme0n1/nvme0n1p1/size", "");
        foreach (string folder in new[] { Port, Gpu, Nvme })
        {
            sample.Links[$"sys/bus/pci/devices/{Path.GetFileName(folder)}"] = $"../../../{folder["sys/".Length..]}";
        }

        return sample;
    }

    internal void Text(string path, string text) => Files[path] = Encoding.UTF8.GetBytes(text);

    /// <summary>The tree as an archive.</summary>
    /// <param name="root">A folder in front of every name; empty for none.</param>
    /// <param name="reverse">Whether members stand in reverse order: children before parents, links before what they lead to or after.</param>
    internal byte[] ToTar(string root = "box/", bool reverse = false)
    {
        var entries = new List<TarEntry>();
        foreach ((string path, string target) in Links)
        {
            entries.Add(new PaxTarEntry(TarEntryType.SymbolicLink, root + path) { LinkName = target });
        }

        foreach ((string path, byte[] bytes) in Files)
        {
            entries.Add(new PaxTarEntry(TarEntryType.RegularFile, root + path) { DataStream = new MemoryStream(bytes) });
        }

        if (reverse)
        {
            entries.Reverse();
        }

        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            entries.ForEach(writer.WriteEntry);
        }

        return archive.ToArray();
    }

    /// <summary>Writes the tree below a folder.</summary>
    internal void ToFolder(string folder)
    {
        foreach ((string path, byte[] bytes) in Files)
        {
            string file = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, bytes);
        }

        foreach ((string path, string target) in Links)
        {
            string link = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(link)!);
            File.CreateSymbolicLink(link, target);
        }
    }

    private void Function(string folder, string vendor, string device, string code, byte[] config)
    {
        Text($"{folder}/vendor", vendor + "\n");
        Text($"{folder}/device", device + "\n");
        Text($"{folder}/class", code + "\n");
        Files[$"{folder}/config"] = config;
    }

    private static byte[] Endpoint(ushort vendor, ushort device, uint code)
    {
        byte[] config = new byte[64];
        BitConverter.TryWriteBytes(config, vendor);
        BitConverter.TryWriteBytes(config.AsSpan(2), device);
        BitConverter.TryWriteBytes(config.AsSpan(8), code << 8);
        config[4] = 2;
        config[6] = 0x10;
        config[0x34] = 0x60;
        return config;
    }

    private static byte[] Bridge(byte secondary, byte subordinate)
    {
        byte[] config = Endpoint(0x8086, 0x2030, 0x060400);
        config[0x0e] = 1;
        config[0x19] = secondary;
        config[0x1a] = subordinate;
        return config;
    }
}
