using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Walks a loaded hwloc tree and drafts the machine.</summary>
/// <remarks>
/// Not responsible for versions (the importer has checked them) nor for single attributes (<see cref="HwlocFields"/>).
/// <para><b>Locking:</b> the caller's; one import, one reader.</para>
/// </remarks>
/// <param name="log">Where errors and notes go.</param>
internal sealed class HwlocReader(ImportLog log)
{
    private readonly ImportDraft draft = new(log);
    private readonly HwlocFields fields = new(log);
    private readonly List<HwlocFunction> functions = [];
    private readonly Dictionary<string, HwlocFunction> functionsById = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> packagesById = new(StringComparer.Ordinal);
    private readonly HashSet<NodeId> nodesWithoutCpus = [];
    private bool isVersion2;
    private int inferredPorts;

    /// <summary>Reads everything below the root element.</summary>
    /// <param name="root">The <c>topology</c> element.</param>
    internal void Read(XmlTreeElement root)
    {
        isVersion2 = root.Value("version")!.StartsWith('2');
        List<XmlTreeElement> machines = [.. root.Children.Where(child => child.Name == "object")];
        if (machines.Count != 1 || machines[0].Value("type") != "Machine")
        {
            log.Error(
                root.Position,
                "the topology does not hold one machine",
                machines.Count == 1 ? machines[0].Value("type") ?? "" : $"{machines.Count} objects",
                "one object of type Machine");
            return;
        }

        ReadNodes(machines[0], null);
        ReadObject(machines[0], HwlocContext.Outside);
        draft.Builder.AddHost(new TopologyHost(HostId.First)
        {
            Name = HwlocCpu.HostName(root, machines[0]),
            Cpu = HwlocCpu.Identify(root, machines[0], log),
        });
        foreach (HwlocFunction function in functions)
        {
            draft.TryAdd(function.ToFunction(), function.Position);
        }

        new HwlocDistances(log, functionsById, packagesById).Read(root, draft.Builder);
        WriteNotes();
    }

    /// <summary>Checks the draft.</summary>
    /// <returns>The topology; null, with an error in the log, when it is unsound.</returns>
    internal Topology? Build() => draft.Build();

    private void WriteNotes()
    {
        log.Note(log.At(0, 0), "hwloc does not tell ACS, BARs or IOMMU groups: they are unknown");
        if (inferredPorts > 0)
        {
            log.Note(log.At(0, 0), $"the port types of {inferredPorts} functions are inferred from the nesting");
        }
    }

    // Nodes first: the locality of a device needs to know which nodes have CPUs.
    private void ReadNodes(XmlTreeElement element, int? package)
    {
        int? inside = element.Value("type") == "Package" ? fields.OptionalIndex(element) : package;
        if (element.Value("type") == "NUMANode")
        {
            ReadNode(element, package);
        }

        foreach (XmlTreeElement child in element.Children)
        {
            if (child.Name == "object")
            {
                ReadNodes(child, inside);
            }
        }
    }

    private void ReadNode(XmlTreeElement element, int? package)
    {
        if (!fields.TryNode(element, out NodeId node))
        {
            return;
        }

        bool? hasCpus = fields.HasBits(element, "cpuset");
        if (hasCpus == false)
        {
            nodesWithoutCpus.Add(node);
        }

        draft.Builder.AddNode(new NumaNode(node)
        {
            Package = package,
            Memory = fields.Memory(element),
            HasCpus = hasCpus,
            Device = HwlocFields.Info(element, "PCIBusID") is { } bus && PciAddress.TryParse(bus, out PciAddress device)
                ? device
                : null,
        });
    }

    private void ReadObject(XmlTreeElement element, HwlocContext around)
    {
        if (!element.TryGet("type", out XmlTreeAttribute type))
        {
            log.Error(element.Position, "the object has no type", "", "a type, as Bridge or PCIDev");
            return;
        }

        HwlocContext inside = type.Value switch
        {
            "Package" => InPackage(element, around),
            "Bridge" => InBridge(element, around),
            "PCIDev" => InFunction(element, around, isBridge: false),
            "OSDev" => InOsDevice(element, around),
            _ => around with { Node = Nearest(element, around) },
        };
        foreach (XmlTreeElement child in element.Children)
        {
            if (child.Name == "object" && !log.IsFull)
            {
                ReadObject(child, inside);
            }
        }
    }

    private HwlocContext InPackage(XmlTreeElement element, HwlocContext around)
    {
        int? index = fields.OptionalIndex(element);
        if (element.Value("gp_index") is { } id)
        {
            packagesById[$"Package:{id}"] = index is { } known ? $"Package {known}" : "a package";
        }

        return around with { Package = index, Node = Nearest(element, around) };
    }

    private NodeId Nearest(XmlTreeElement element, HwlocContext around)
    {
        if (fields.Nodes(element) is not { } nodes)
        {
            return around.Node;
        }

        nodes.RemoveAll(nodesWithoutCpus.Contains);
        return nodes.Count == 1 ? nodes[0] : NodeId.None;
    }

    private HwlocContext InBridge(XmlTreeElement element, HwlocContext around)
    {
        string type = element.Value("bridge_type") ?? "";
        switch (type)
        {
            case "0-1":
                return InHostBridge(element, around);
            case "1-1":
                return InFunction(element, around, isBridge: true);
            default:
                log.Error(
                    element.Position, "the bridge's type is not known", type, "0-1 (host to PCI) or 1-1 (PCI to PCI)");
                return around;
        }
    }

    private HwlocContext InHostBridge(XmlTreeElement element, HwlocContext around)
    {
        if (around.HostBridge is not null || around.Function is not null)
        {
            log.Error(element.Position, "a host bridge is below another bridge", "0-1", "1-1 below a bridge");
            return around;
        }

        if (!fields.TryBuses(element, out uint domain, out PciBusRange buses))
        {
            return around;
        }

        var bridge = new HostBridge
        {
            Bus = new PciBusId(domain, buses.Secondary),
            LastBus = buses.Subordinate,
            Node = around.Node,
            Package = around.Package,
            IsRootBusComplete = false, // hwloc drops what it finds dull, and does not say whether it did
        };
        return draft.TryAdd(bridge, element.Position) ? around with { HostBridge = bridge } : around;
    }

    private HwlocContext InFunction(XmlTreeElement element, HwlocContext around, bool isBridge)
    {
        if (!fields.TryAddress(element, out PciAddress address))
        {
            return around;
        }

        HwlocFunction? above = around.Function;
        if (above is not null && !above.Facts.CanHaveChildren)
        {
            log.Error(
                element.Position, $"the function is below {above.Facts.Address}, which is no bridge", address.ToString(), "");
            return around;
        }

        PciFunction facts = ReadFacts(element, address, around, isBridge);
        var function = new HwlocFunction(facts, element.Position) { Label = HwlocFields.Info(element, "PCIDevice") };
        functions.Add(function);
        if (element.Value("gp_index") is { } id)
        {
            functionsById[$"{element.Value("type")}:{id}"] = function;
        }

        return around with { Function = function };
    }

    private PciFunction ReadFacts(XmlTreeElement element, PciAddress address, HwlocContext around, bool isBridge)
    {
        HwlocIdentity identity = fields.Identity(element);
        PciBusRange? buses = null;
        if (isBridge && fields.TryBuses(element, out uint domain, out PciBusRange range))
        {
            buses = range;
            if (domain != address.Domain)
            {
                log.Error(
                    element.Position, "the buses below are of another domain", $"{domain:x4}", $"{address.Domain:x4}");
            }
        }

        var facts = new PciFunction
        {
            Address = address,
            Parent = around.Function?.Facts.Address,
            HostBridge = around.HostBridge?.Bus,
            Id = identity.Id,
            SubsystemId = identity.Subsystem,
            Class = identity.Class ?? (isBridge ? PciClass.PciBridge : null),
            Link = new PciLink { Reported = fields.Speed(element) },
            Node = around.Node,
            BusesBelow = buses,
        };
        PciPortType port = HwlocPorts.Infer(facts, around, isBridge, log, element.Position);
        inferredPorts += port == PciPortType.Unknown ? 0 : 1;
        return facts with { PortType = port };
    }

    private HwlocContext InOsDevice(XmlTreeElement element, HwlocContext around)
    {
        if (around.Function is not { } function)
        {
            return around; // memory and the like, beside PCI
        }

        if (element.Value("name") is { Length: > 0 } name)
        {
            function.Add(new OsDevice(name, fields.DeviceKind(element, isVersion2)));
        }

        function.Label = HwlocFields.Info(element, "GPUModel") ?? function.Label;
        if (element.Value("gp_index") is { } id)
        {
            functionsById[$"OSDev:{id}"] = function;
        }

        return around;
    }
}
