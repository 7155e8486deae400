using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Nccl;

/// <summary>Walks a loaded NCCL tree and drafts the machine.</summary>
/// <remarks>
/// Elements that it does not know are passed over, as NCCL itself does.
/// <para><b>Locking:</b> the caller's; one import, one reader.</para>
/// </remarks>
/// <param name="log">Where errors and notes go.</param>
internal sealed class NcclReader(ImportLog log)
{
    private readonly ImportDraft draft = new(log);
    private readonly NcclFields fields = new(log);
    private readonly List<NcclLink> links = [];
    private readonly Dictionary<string, HostId> hosts = new(StringComparer.Ordinal);
    private readonly HashSet<(HostId Host, NodeId Node)> nodes = [];
    private readonly NcclBridges bridges = new(log);

    /// <summary>Reads everything below the root element.</summary>
    /// <param name="root">The <c>system</c> element.</param>
    internal void Read(XmlTreeElement root)
    {
        foreach (XmlTreeElement child in root.Children)
        {
            if (child.Name == "cpu" && !log.IsFull)
            {
                ReadCpu(child);
            }
        }

        if (hosts.Count == 0)
        {
            log.Error(root.Position, "the system has no cpu", "", "at least one cpu element with the pci elements in it");
        }

        foreach (NcclLink link in links)
        {
            AddLink(link);
        }

        draft.Builder.Omissions = TopologyOmissions.Ports;
        log.Note(
            log.At(0, 0),
            "NCCL leaves out host bridges, root ports and the downstream ports of switches; ACS and BARs are unknown");
    }

    /// <summary>Checks the draft.</summary>
    /// <returns>The topology; null, with an error in the log, when it is unsound.</returns>
    internal Topology? Build() => draft.Build();

    private void ReadCpu(XmlTreeElement element)
    {
        HostId host = ReadHost(element);
        if (!fields.TryNode(element, out NodeId node))
        {
            return;
        }

        if (node.IsKnown && !nodes.Add((host, node)))
        {
            log.Error(element.Position, $"{node} of {host} is there twice", node.ToString(), "each NUMA node of a host once");
            return;
        }

        bool? hasCpus = fields.HasCpus(element);
        if (node.IsKnown)
        {
            draft.Builder.AddNode(new NumaNode(node) { Host = host, HasCpus = hasCpus });
        }

        ReadChildren(element, new NcclContext(host, node, null));
    }

    private HostId ReadHost(XmlTreeElement element)
    {
        string hash = element.Value("host_hash") ?? "";
        if (hosts.TryGetValue(hash, out HostId known))
        {
            return known;
        }

        if (hosts.Count > ushort.MaxValue)
        {
            log.Error(element.Position, "the file has too many hosts", $"{hosts.Count + 1}", $"at most {ushort.MaxValue + 1}");
            return HostId.First;
        }

        var host = new HostId((ushort)hosts.Count);
        hosts.Add(hash, host);
        draft.Builder.AddHost(new TopologyHost(host)
        {
            Name = hash.Length == 0 ? null : hash,
            Cpu = fields.Cpu(element),
        });
        return host;
    }

    private void ReadChildren(XmlTreeElement element, NcclContext around)
    {
        foreach (XmlTreeElement child in element.Children)
        {
            if (child.Name == "pci" && !log.IsFull)
            {
                ReadFunction(child, around);
            }
            else if (child.Name == "nic" && around.Above is null)
            {
                log.Note(child.Position, "a network interface without a PCI function is passed over");
            }
        }
    }

    private void ReadFunction(XmlTreeElement element, NcclContext around)
    {
        if (!fields.TryAddress(element, "busid", out PciAddress address))
        {
            return;
        }

        PciClass? code = fields.Class(element);
        bool hasFunctions = element.Children.Any(child => child.Name == "pci");
        var function = new PciFunction
        {
            Host = around.Host,
            Address = address,
            Parent = around.Above?.Address,
            Id = fields.Id(element, "vendor", "device"),
            SubsystemId = fields.Id(element, "subsystem_vendor", "subsystem_device"),
            Class = code,
            PortType = Infer(element, address, code, hasFunctions),
            Link = new PciLink(fields.Link(element), default), // NCCL reads sysfs's max_link_speed and max_link_width
            Node = around.Node,
        };
        function = function with { OsDevices = Devices(element), Label = Label(element) };
        if (hasFunctions && !function.CanHaveChildren)
        {
            log.Error(element.Position, $"{address} holds functions and is no bridge", $"class {code}", "class 0x060400");
            return;
        }

        if (bridges.IsContinued(function, element.Position))
        {
            ReadChildren(element, around with { Above = function });
        }
        else if (draft.TryAdd(function, element.Position))
        {
            ReadLinks(element, function);
            ReadChildren(element, around with { Above = function });
        }
    }

    private static PciPortType Infer(XmlTreeElement element, PciAddress address, PciClass? code, bool hasFunctions)
    {
        // NCCL's users write ffff:ff:xx.x for switches that their virtual machine does not show; no PCI domain is that full.
        bool isMadeUp = address.Domain == 0xffff && address.Bus == 0xff;
        if (isMadeUp && (hasFunctions || code is { IsPciBridge: true }))
        {
            return PciPortType.VirtualSwitch;
        }

        if (code is { } known)
        {
            return known.IsPciBridge ? PciPortType.SwitchUpstream : PciPortType.Endpoint;
        }

        return element.Children.Any(child => child.Name is "gpu" or "nic") ? PciPortType.Endpoint : PciPortType.Unknown;
    }

    private List<OsDevice> Devices(XmlTreeElement element)
    {
        var devices = new List<OsDevice>();
        foreach (XmlTreeElement nic in element.Children.Where(child => child.Name == "nic"))
        {
            foreach (XmlTreeElement net in nic.Children.Where(child => child.Name == "net"))
            {
                if (net.Value("name") is not { Length: > 0 } name)
                {
                    log.Error(net.Position, "the network interface has no name", "", "a name, as mlx5_0");
                    continue;
                }

                devices.Add(new OsDevice(name, NcclFields.DeviceKind(name)));
            }
        }

        return devices;
    }

    private string? Label(XmlTreeElement element)
    {
        XmlTreeElement? gpu = element.Children.FirstOrDefault(child => child.Name == "gpu");
        if (gpu is null)
        {
            return null;
        }

        string number = fields.Number(gpu, "dev", uint.MaxValue) is { } dev ? $"GPU {dev}" : "GPU";
        return gpu.Value("gcn") is { Length: > 0 } gcn ? $"{number} gfx{gcn}"
            : gpu.Value("sm") is { Length: > 0 } sm ? $"{number} sm_{sm}"
            : number;
    }

    private void ReadLinks(XmlTreeElement element, PciFunction function)
    {
        foreach (XmlTreeElement link in element.Children.Where(child => child.Name == "gpu").SelectMany(gpu => gpu.Children))
        {
            int? count = fields.Number(link, "count", 1024);
            switch (link.Name)
            {
                case "nvlink" when fields.TryTarget(link, out PciAddress? target):
                    links.Add(new NcclLink(InterconnectKind.NvLink, function.Place, target, count));
                    break;
                case "xgmi" when fields.TryTarget(link, out PciAddress? target):
                    links.Add(new NcclLink(InterconnectKind.Xgmi, function.Place, target, count));
                    break;
                case "c2c":
                    draft.Builder.AddInterconnect(new InterconnectLink(InterconnectKind.C2C, function.Place)
                    {
                        ToName = "CPU",
                        Count = count,
                        Bandwidth = fields.Number(link, "bw", int.MaxValue) is { } megabytes
                            ? LinkBandwidth.FromMegabytes((ulong)megabytes * (ulong)(count ?? 1)) // bw is that of one of them
                            : null,
                    });
                    break;
                default:
                    break;
            }
        }
    }

    private void AddLink(NcclLink link)
    {
        PciPlace? target = link.Target is { } address ? new PciPlace(link.From.Host, address) : null;
        bool isFunction = target is { } place && draft.TryGetPosition(place, out _);
        draft.Builder.AddInterconnect(new InterconnectLink(link.Kind, link.From)
        {
            To = isFunction ? target : null,
            ToName = isFunction ? null : link.Target?.ToString() ?? NcclFields.SomeSwitch,
            Count = link.Count,
        });
    }
}
