using Mm.Core;
using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Makes a machine of a gathered sysfs tree.</summary>
/// <remarks>
/// Where a function hangs is told by its folder's path; by bus numbers only where the tree has no such paths. A tree that
/// was copied without root rights has 64 bytes of each <c>config</c>: ACS is then unknown, and port types are inferred
/// from the driver (<see cref="SysfsPorts"/>).
/// <para><b>Locking:</b> the caller's; one import, one reader.</para>
/// </remarks>
/// <param name="tree">The tree.</param>
/// <param name="log">Where errors and notes go.</param>
internal sealed class SysfsReader(SysfsTree tree, ImportLog log)
{
    private readonly SysfsNodes nodes = new(tree, log);
    private int inferredNodes;
    private int looseFunctions;

    /// <summary>Makes the machine.</summary>
    /// <returns>The topology; null, with an error in the log, when the tree makes none.</returns>
    internal Topology? Build()
    {
        nodes.Read();
        SortedDictionary<PciAddress, SysfsDevice> devices = tree.CollectDevices();
        if (devices.Count == 0 && nodes.All.Count == 0 && !log.HasErrors)
        {
            log.Error(
                log.At(0, 0),
                "there is no machine in the tree: neither functions nor NUMA nodes",
                "",
                "a tree with sys/bus/pci/devices or sys/devices/system/node");
            return null;
        }

        var assembler = new PciTreeAssembler(log);
        assembler.Builder.AddHost(SysfsCpu.Identify(tree, log));
        foreach (PciFunction function in new SysfsPorts(log).Infer(devices.Values, ReadFunction))
        {
            SysfsDevice device = devices[function.Address];
            bool isTreeTold = device.Files.ContainsKey("config");
            looseFunctions += isTreeTold || function.Parent is not null || function.HostBridge is not null ? 0 : 1;
            assembler.Add(function, tree.At(device.Path), isTreeTold);
        }

        if (log.HasErrors)
        {
            return null;
        }

        foreach (NumaNode node in nodes.All)
        {
            assembler.Builder.AddNode(node);
        }

        NoteUnknown(devices.Count);
        return assembler.Build(nodes.PackageOf);
    }

    private void NoteUnknown(int functions)
    {
        if (functions == 0)
        {
            log.Note(log.At(0, 0), "the machine has no PCI functions: only its NUMA nodes are known");
        }

        if (looseFunctions > 0)
        {
            log.Note(log.At(0, 0), $"the tree does not tell what {looseFunctions} functions hang below: their host bridges are unknown");
        }

        if (inferredNodes > 0)
        {
            log.Note(log.At(0, 0), $"the NUMA nodes of {inferredNodes} functions are inferred from their local CPUs");
        }
    }

    private PciFunction ReadFunction(SysfsDevice device)
    {
        var function = new PciFunction
        {
            Address = device.Address,
            Id = Identity(device, "vendor", "device"),
            SubsystemId = Identity(device, "subsystem_vendor", "subsystem_device") is { Vendor: not 0 } subsystem ? subsystem : null,
            Class = ReadClass(device),
            Node = ReadNode(device),
            IommuGroup = device.IommuGroup is { } group && StrictNumber.TryDecimal(group, int.MaxValue, out ulong number)
                ? (int)number
                : null,
            OsDevices = device.OsDevices,
            Bars = device.Files.TryGetValue("resource", out byte[]? resource)
                ? SysfsResources.Read(resource, tree.At($"{device.Path}/resource"), log)
                : [],
            Link = new PciLink(
                ReadLink(device, "max_link_speed", "max_link_width"),
                ReadLink(device, "current_link_speed", "current_link_width")),
        };
        function = Hang(device, function);
        return device.Files.TryGetValue("config", out byte[]? config) && config.Length > 0
            ? MergeConfig(device, function, config)
            : function;
    }

    // ".../pci0000:80/0000:80:03.0/0000:83:00.0": the parent is the function before, or the host bridge. A plain folder under
    // /sys/bus/pci/devices tells neither.
    private static PciFunction Hang(SysfsDevice device, PciFunction function)
    {
        string[] parts = device.Path.Split('/');
        string above = parts[^2];
        if (SysfsPath.TryAddress(above, out PciAddress parent))
        {
            return function with { Parent = parent };
        }

        return SysfsPath.TryRootBus(above, out PciBusId bus) ? function with { HostBridge = bus } : function;
    }

    private PciFunction MergeConfig(SysfsDevice device, PciFunction function, byte[] config)
    {
        string path = $"{device.Path}/config";
        PciConfigSpace space = PciConfigDecoder.Decode(config);
        foreach (PciConfigDefect defect in space.Defects)
        {
            log.Add(defect.ToError(tree.At(path, 1, defect.Offset + 1)));
        }

        if (space.IsGone)
        {
            log.Note(tree.At(path), $"{device.Address} does not answer: every byte of its configuration space is 0xff");
            return function;
        }

        PciFunction merged = PciConfigFunction.Merge(function, space, tree.At(device.Path), log);
        bool hasPath = function.Parent is not null || function.HostBridge is not null;
        return merged with
        {
            // The kernel knows which BARs it gave a window; a register may still hold what firmware left there.
            Bars = device.Files.ContainsKey("resource")
                ? [.. merged.Bars.Where(bar => function.TryGetBar(bar.Index, out _))]
                : merged.Bars,

            // The path already tells what hangs where; stale numbers of unused bridges must not refuse the tree.
            BusesBelow = hasPath && merged.BusesBelow is { } buses && !GoesDown(device.Address, buses) ? null : merged.BusesBelow,
        };
    }

    private static bool GoesDown(PciAddress address, PciBusRange buses) =>
        buses.Secondary > address.Bus && buses.Subordinate >= buses.Secondary;

    private PciId? Identity(SysfsDevice device, string vendorFile, string deviceFile) =>
        Number(device, vendorFile, 0xffff) is { } vendor && Number(device, deviceFile, 0xffff) is { } id
            ? new PciId((ushort)vendor, (ushort)id)
            : null;

    private PciClass? ReadClass(SysfsDevice device) =>
        Number(device, "class", 0xffffff) is { } code ? new PciClass((uint)code) : null;

    private ulong? Number(SysfsDevice device, string file, ulong max)
    {
        if (!device.Files.TryGetValue(file, out byte[]? bytes) || bytes.Length == 0)
        {
            return null;
        }

        string text = SysfsTree.Line(bytes);
        if (StrictNumber.TryPrefixedHex(text, max, out ulong value))
        {
            return value;
        }

        log.Error(tree.At($"{device.Path}/{file}", 1, 1), "not a number", text, $"0x0 to 0x{max:x}");
        return null;
    }

    private NodeId ReadNode(SysfsDevice device)
    {
        string text = device.Files.TryGetValue("numa_node", out byte[]? bytes) ? SysfsTree.Line(bytes) : "-1";
        if (text != "-1")
        {
            if (StrictNumber.TryDecimal(text, NodeId.MaxIndex, out ulong node))
            {
                return new NodeId((int)node);
            }

            log.Error(tree.At($"{device.Path}/numa_node", 1, 1), "not a NUMA node", text, $"-1 to {NodeId.MaxIndex}");
            return NodeId.None;
        }

        if (!device.Files.TryGetValue("local_cpus", out byte[]? cpus) || cpus.Length == 0)
        {
            return NodeId.None;
        }

        string mask = SysfsTree.Line(cpus);
        if (!SysfsCpuSet.TryMask(mask, out SysfsCpuSet set))
        {
            log.Error(tree.At($"{device.Path}/local_cpus", 1, 1), "not a set of CPUs", mask, "words as 0000ff00, with commas");
            return NodeId.None;
        }

        NodeId near = nodes.NearestTo(set);
        inferredNodes += near.IsKnown ? 1 : 0;
        return near;
    }

    private PciLinkState ReadLink(SysfsDevice device, string speedFile, string widthFile)
    {
        string speedText = device.Files.TryGetValue(speedFile, out byte[]? speedBytes) ? SysfsTree.Line(speedBytes) : "";
        string widthText = device.Files.TryGetValue(widthFile, out byte[]? widthBytes) ? SysfsTree.Line(widthBytes) : "";
        if (!PciLinkSpeed.TryParse(speedText, out PciLinkSpeed speed))
        {
            log.Error(tree.At($"{device.Path}/{speedFile}", 1, 1), "not a link speed", speedText, "as 16.0 GT/s PCIe");
        }

        ulong width = 0;
        if (widthText.Length > 0 && !StrictNumber.TryDecimal(widthText, byte.MaxValue, out width))
        {
            log.Error(tree.At($"{device.Path}/{widthFile}", 1, 1), "not a link width", widthText, "0 to 255");
        }

        return new PciLinkState(speed, width == byte.MaxValue ? (byte)0 : (byte)width); // the kernel prints 255 for unknown
    }
}
