using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.P2p;

/// <summary>The PCI tree that a recording begins with.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
/// <param name="maxDevices">How many devices are taken before the file is refused.</param>
internal sealed class P2pMachine(int maxDevices)
{
    private readonly List<PciFunction> functions = [];
    private readonly Dictionary<PciAddress, int> indexes = [];
    private readonly List<PciBusId> bridges = [];

    /// <summary>Reads the rest of a <c>device</c> line.</summary>
    public void AddDevice(RecordingWords words)
    {
        if (functions.Count >= maxDevices)
        {
            throw words.Error("too many devices", words.Peek.ToString(), $"at most {maxDevices}");
        }

        PciAddress address = words.TakeAddress();
        string parent = words.TakeValue("parent");
        string bridgeText = words.TakeValue("host-bridge");
        if (!PciBusId.TryParse(bridgeText, out PciBusId bridge))
        {
            throw words.Error("not a host bridge", bridgeText, "host-bridge=dddd:bb");
        }

        PciId id = ParseId(words, words.TakeValue("id"));
        string classText = words.TakeValue("class");
        if (!PciClass.TryParse(classText, out PciClass kind))
        {
            throw words.Error("not a class code", classText, "class=cccccc");
        }

        var function = new PciFunction
        {
            Address = address,
            Parent = parent == "root" ? null : words.ParseAddress(parent),
            HostBridge = bridge,
            Id = id,
            Class = kind,
            PortType = PortType(words.TakeValue("type"), kind),
            Acs = AcsControl.Absent,
            Bars = TakeBars(words),
        };
        if (!indexes.TryAdd(address, functions.Count))
        {
            throw words.Error("the device is there twice", address.ToString(), "each device once");
        }

        functions.Add(function);
        if (!bridges.Contains(bridge))
        {
            bridges.Add(bridge);
        }
    }

    /// <summary>Takes an address that must be a device's.</summary>
    public PciAddress TakeKnown(RecordingWords words)
    {
        PciAddress address = words.TakeAddress();
        return indexes.ContainsKey(address)
            ? address
            : throw words.Error("no such device", address.ToString(), "a device of the machine");
    }

    /// <summary>The device of an address that <see cref="TakeKnown"/> gave.</summary>
    public PciFunction Find(PciAddress address) => functions[indexes[address]];

    /// <summary>The machine under settings.</summary>
    public Topology Build(P2pSettings settings, RecordingWords words)
    {
        var builder = new TopologyBuilder();
        builder.AddHost(settings.Cpu);
        foreach (PciBusId bridge in bridges)
        {
            builder.AddHostBridge(new HostBridge { Bus = bridge });
        }

        foreach (PciFunction function in functions)
        {
            builder.AddFunction(settings.Apply(function));
        }

        return builder.TryBuild(out Topology? topology, out TopologyDefect defect)
            ? topology
            : throw words.Error("the devices make no machine", defect.ToString(), "a tree of devices");
    }

    public static PciId ParseId(RecordingWords words, string text) =>
        PciId.TryParse(text, out PciId id) ? id : throw words.Error("not an identity", text, "id=vvvv:dddd");

    private static PciPortType PortType(string text, PciClass kind) => text switch
    {
        "endpoint" => PciPortType.Endpoint,
        "legacy-endpoint" => PciPortType.LegacyEndpoint,
        "root-port" => PciPortType.RootPort,
        "switch-upstream" => PciPortType.SwitchUpstream,
        "switch-downstream" => PciPortType.SwitchDownstream,
        "pcie-to-pci-bridge" => PciPortType.PcieToPciBridge,
        "pci-to-pcie-bridge" => PciPortType.PciToPcieBridge,
        "root-complex-endpoint" => PciPortType.RootComplexEndpoint,
        "root-complex-event-collector" => PciPortType.RootComplexEventCollector,
        "pci-device" => kind.IsPciBridge ? PciPortType.ConventionalBridge : PciPortType.ConventionalPci,
        _ => PciPortType.Unknown,
    };

    private static List<PciBar> TakeBars(RecordingWords words)
    {
        var bars = new List<PciBar>();
        while (!words.IsEnd)
        {
            ReadOnlySpan<char> word = words.Peek;
            if (word.Length < 5 || !word.StartsWith("bar") || word[3] is < '0' or > '6' || word[4] != '=')
            {
                throw words.Error("an argument does not fit", word.ToString(), "bar0=... to bar6=...");
            }

            int index = word[3] - '0';
            ByteCount size = words.ParseBytes(words.TakeValue($"bar{index}"));
            bars.Add(new PciBar(index, null, size, PciBarFlags.Memory));
        }

        return bars;
    }
}
