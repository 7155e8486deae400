using System.Text;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>What matters of a sysfs tree, gathered member by member in any order, from an archive or a folder.</summary>
/// <remarks>
/// Holds files only where <see cref="IsWanted"/> says so, and links as texts. Not responsible for what files mean
/// (<see cref="SysfsReader"/>). Nothing is ever opened by following a link: links resolve inside this tree.
/// <para><b>Linux:</b> /sys/bus/pci/devices and the folders under /sys/devices that it links to, /sys/devices/system, and
/// of /proc cpuinfo and NVIDIA's gpus (v6.12).</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="log">Where errors go.</param>
internal sealed class SysfsTree(ImportLog log)
{
    private const int MaxHops = 16;
    private const int MaxShownName = 300;
    private const string PciDevices = "sys/bus/pci/devices";

    private static readonly HashSet<string> DeviceFiles =
    [
        "vendor", "device", "subsystem_vendor", "subsystem_device", "class", "config", "resource", "numa_node",
        "local_cpus", "current_link_speed", "current_link_width", "max_link_speed", "max_link_width",
    ];

    private static readonly string[] PciDevicesParts = PciDevices.Split('/');

    private readonly Dictionary<string, SysfsDevice> devices = [];
    private readonly SortedDictionary<string, string> busLinks = new(StringComparer.Ordinal);
    private string? root;

    /// <summary>Contents of the files outside functions' folders, by path: nodes, CPUs, NVIDIA's.</summary>
    internal SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether anything of a sysfs or proc tree was seen.</summary>
    internal bool IsEmpty => root is null;

    /// <summary>Finds the part of a path below the tree's root: from <c>sys</c> or <c>proc</c> on.</summary>
    /// <param name="parts">The parts of the whole path; cut on success.</param>
    /// <param name="position">Where the member stands.</param>
    /// <returns>Whether the path is of the tree; trees have one root.</returns>
    /// <exception cref="ImportRefusedException">The path belongs to a second tree.</exception>
    internal bool TryEnter(ref string[] parts, ImportPosition position)
    {
        int start = Array.FindIndex(parts, part => part is "sys" or "proc");
        if (start < 0 || !MayMatter(parts[start..]) || start + 1 == parts.Length)
        {
            return false;
        }

        string prefix = string.Join('/', parts.AsSpan(0, start)!);
        root ??= prefix;
        if (root != prefix)
        {
            throw new ImportRefusedException(
                new ImportError(position, "there is more than one tree", prefix, "one folder with sys and proc in it"));
        }

        parts = parts[start..];
        return true;
    }

    /// <summary>Whether a file's contents matter.</summary>
    /// <param name="parts">Its path from the root.</param>
    /// <returns>Whether to read it.</returns>
    internal static bool IsWanted(string[] parts)
    {
        if (parts is ["proc", "cpuinfo"] or ["proc", "driver", "nvidia", "gpus", _, "numa_status"])
        {
            return true;
        }

        return parts is ["sys", "devices", "system", "node", _, "meminfo" or "cpumap" or "cpulist"]
            or ["sys", "devices", "system", "cpu", _, "topology", "physical_package_id"]
            || (FindDevice(parts, out int index, out _) && index == parts.Length - 2 && DeviceFiles.Contains(parts[^1]));
    }

    /// <summary>Whether a folder may lead to something that matters, or a file may be such.</summary>
    /// <param name="parts">Its path from the root.</param>
    /// <returns>Whether to look into it.</returns>
    internal static bool MayMatter(string[] parts) => parts switch
    {
        ["sys"] or ["proc"] or ["proc", "cpuinfo"] => true,
        ["proc", "driver", ..] => parts.Length <= 6,
        ["proc", ..] => false,
        ["sys", "bus"] or ["sys", "bus", "pci"] or ["sys", "devices"] => true,
        ["sys", "bus", "pci", "devices", ..] => true,
        ["sys", "devices", "system"] or ["sys", "devices", "system", "node" or "cpu"] => true,
        ["sys", "devices", "system", "node", _] or ["sys", "devices", "system", "cpu", _]
            or ["sys", "devices", "system", "cpu", _, "topology", ..] or ["sys", "devices", "system", "node", _, _] => true,
        ["sys", "devices", "system", ..] or ["sys", "devices", "virtual", ..] => false,
        ["sys", "devices", ..] => true,
        _ => false,
    };

    /// <summary>Adds a folder.</summary>
    /// <param name="parts">Its path from the root.</param>
    internal void AddFolder(string[] parts) => _ = Device(parts);

    /// <summary>Adds a file that is wanted, or whose path alone tells something.</summary>
    /// <param name="parts">Its path from the root.</param>
    /// <param name="bytes">Its contents; null where not wanted.</param>
    internal void AddFile(string[] parts, byte[]? bytes)
    {
        SysfsDevice? device = Device(parts);
        if (bytes is null)
        {
            return;
        }

        if (device is not null)
        {
            device.Files[parts[^1]] = bytes;
        }
        else
        {
            Files[string.Join('/', parts)] = bytes;
        }
    }

    /// <summary>Adds a symbolic link.</summary>
    /// <param name="parts">Its path from the root.</param>
    /// <param name="target">Where it leads, as stored.</param>
    internal void AddLink(string[] parts, string target)
    {
        if (parts.Length == PciDevicesParts.Length + 1 && parts.AsSpan(0, PciDevicesParts.Length).SequenceEqual(PciDevicesParts))
        {
            busLinks[parts[^1]] = target;
            return;
        }

        bool isOfDevice = FindDevice(parts, out int index, out _) && index == parts.Length - 2;
        if (Device(parts) is not { } device || !isOfDevice)
        {
            return;
        }

        string last = target[(target.LastIndexOf('/') + 1)..];
        if (parts[^1] == "driver")
        {
            device.Driver = last;
        }
        else if (parts[^1] == "iommu_group")
        {
            device.IommuGroup = last;
        }
    }

    /// <summary>The functions: what <c>/sys/bus/pci/devices</c> lists, and folders of functions that it misses.</summary>
    /// <returns>The functions by address.</returns>
    internal SortedDictionary<PciAddress, SysfsDevice> CollectDevices()
    {
        var byAddress = new SortedDictionary<PciAddress, SysfsDevice>();
        foreach ((string name, string target) in busLinks)
        {
            AddListed(name, target, byAddress);
        }

        // A real device path (under sys/devices) tells the tree; a plain folder under sys/bus/pci/devices only facts.
        foreach (SysfsDevice device in devices.Values.OrderBy(device => device.Path.StartsWith(PciDevices, StringComparison.Ordinal)))
        {
            if (!byAddress.TryGetValue(device.Address, out SysfsDevice? listed))
            {
                byAddress.Add(device.Address, device);
            }
            else if (!ReferenceEquals(listed, device) && device.Files.Count > 0)
            {
                log.Error(
                    At(device.Path), "the function has two folders", $"{listed.Path} and {device.Path}", "one folder for each address");
            }
        }

        return byAddress;
    }

    /// <summary>A place in a member of the tree.</summary>
    /// <param name="path">The member's path from the root.</param>
    /// <param name="line">The line, from 1; 0 for the whole.</param>
    /// <param name="column">The column, from 1.</param>
    /// <returns>The place.</returns>
    internal ImportPosition At(string path, int line = 0, int column = 0)
    {
        string member = string.IsNullOrEmpty(root) ? path : $"{root}/{path}";
        return AtMember(member) with { Line = line, Column = column };
    }

    /// <summary>A place in a member by its whole name, before it is known to be of the tree.</summary>
    /// <param name="name">The name, as stored.</param>
    /// <returns>The place.</returns>
    internal ImportPosition AtMember(string name) => new($"{log.File}!{Printable(name)}", 0, 0);

    // Members' names are the stranger's too, and places go to terminals.
    private static string Printable(string name)
    {
        string kept = name.Length > MaxShownName ? $"{name.AsSpan(0, MaxShownName)}…" : name;
        return string.Create(kept.Length, kept, static (span, source) =>
        {
            for (int index = 0; index < span.Length; index++)
            {
                char c = source[index];
                span[index] = char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '\uFFFD' : c;
            }
        });
    }

    /// <summary>A small text file's contents: what comes before the first line end or NUL, without blanks around.</summary>
    /// <param name="bytes">The contents.</param>
    /// <returns>The text.</returns>
    internal static string Line(byte[] bytes)
    {
        int end = bytes.AsSpan().IndexOfAny((byte)'\n', (byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes.AsSpan(0, end)).Trim();
    }

    private static bool FindDevice(string[] parts, out int index, out PciAddress address)
    {
        address = default;
        index = -1;
        bool isDevices = parts is ["sys", "devices", ..] or ["sys", "bus", "pci", "devices", ..];
        for (int at = parts.Length - 1; isDevices && at >= 2; at--)
        {
            if (SysfsPath.TryAddress(parts[at], out address))
            {
                index = at;
                return true;
            }
        }

        return false;
    }

    private SysfsDevice? Device(string[] parts)
    {
        if (!FindDevice(parts, out int index, out PciAddress address))
        {
            return null;
        }

        string path = string.Join('/', parts.AsSpan(0, index + 1)!);
        if (!devices.TryGetValue(path, out SysfsDevice? device))
        {
            devices.Add(path, device = new SysfsDevice(path, address));
        }

        SysfsOsNames.Note(device, parts.AsSpan(index + 1));
        return device;
    }

    private void AddListed(string name, string target, SortedDictionary<PciAddress, SysfsDevice> byAddress)
    {
        string entry = $"{PciDevices}/{name}";
        if (!SysfsPath.TryAddress(name, out PciAddress address))
        {
            log.Error(At(entry), "not an address of a function", name, "as 0000:3b:00.0");
            return;
        }

        string next = target;
        for (int hop = 0; hop < MaxHops; hop++)
        {
            if (!SysfsPath.TryResolve(PciDevicesParts, next, out string path))
            {
                log.Error(At(entry), "the link leaves the tree", next, "a relative link inside it");
                return;
            }

            string last = path[(path.LastIndexOf('/') + 1)..];
            if (path == $"{PciDevices}/{last}" && busLinks.TryGetValue(last, out string? further))
            {
                next = further;
                continue;
            }

            AddResolved(entry, address, path, byAddress);
            return;
        }

        log.Error(At(entry), "the link leads in a circle", target, "a link to a function's folder");
    }

    private void AddResolved(
        string entry, PciAddress address, string path, SortedDictionary<PciAddress, SysfsDevice> byAddress)
    {
        string last = path[(path.LastIndexOf('/') + 1)..];
        if (last != address.ToString())
        {
            log.Error(At(entry), "the link leads to another function", path, $"a folder called {address}");
            return;
        }

        if (!devices.TryGetValue(path, out SysfsDevice? device))
        {
            log.Note(At(entry), "the link's folder is not in the tree: only the function's place is known");
            device = new SysfsDevice(path, address);
        }

        byAddress[address] = device;
    }
}
