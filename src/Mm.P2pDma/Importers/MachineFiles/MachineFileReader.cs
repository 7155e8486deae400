using System.Text.Json;
using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.MachineFiles;

/// <summary>Reads Mm's machine file out of loaded JSON; the counterpart of <see cref="MachineFileWriter"/>.</summary>
/// <param name="log">Where errors go.</param>
internal sealed class MachineFileReader(ImportLog log)
{
    private const string AddressForm = "\"dddd:bb:dd.f\", as \"0000:3b:00.1\"";
    private const string BusForm = "\"dddd:bb\", as \"0000:40\"";
    private const string SizeForm = "a number, a blank and B, KiB, MiB, GiB or TiB, as \"16 MiB\"";
    private const string HexForm = "0x and hexadecimal digits, as \"0x38000000000\"";
    private const string LinkForm = "\"16 GT/s x8\", unknown parts as ?";

    private readonly ImportDraft draft = new(log);

    /// <summary>Reads the whole file.</summary>
    /// <param name="root">The outermost value.</param>
    internal void Read(JsonTreeValue root)
    {
        var file = new JsonObjectFields(root, log);
        if (log.HasErrors || !TryAccept(file))
        {
            return;
        }

        draft.Builder.Omissions = Flags(file, "omissions", MachineWords.Omissions, (a, b) => a | b);
        ForEach(file, "hosts", ReadHost);
        ForEach(file, "nodes", ReadNode);
        ForEach(file, "hostBridges", ReadBridge);
        ForEach(file, "functions", ReadFunction);
        ForEach(file, "interconnects", ReadInterconnect);
        file.Finish();
    }

    /// <summary>Checks the draft.</summary>
    /// <returns>The topology; null, with an error in the log, when it is unsound.</returns>
    internal Topology? Build() => draft.Build();

    private bool TryAccept(JsonObjectFields file)
    {
        string? format = file.Text("format");
        if (format != MachineFile.FormatName && !log.HasErrors)
        {
            log.Error(file.Position, "the file is not a machine file of Mm", format ?? "", $"\"format\": \"{MachineFile.FormatName}\"");
        }

        if (!log.HasErrors && file.Number("version", MachineFile.Version, MachineFile.Version) is null && !log.HasErrors)
        {
            file.Missing("version", $"\"version\": {MachineFile.Version}");
        }

        return !log.HasErrors;
    }

    private void ReadHost(JsonObjectFields fields)
    {
        CpuIdentity cpu = default;
        if (fields.Object("cpu") is { } facts)
        {
            _ = facts.TryRequired<CpuVendor>("vendor", MachineWords.Vendors.TryValue, MachineWords.Vendors.Allowed, out CpuVendor vendor);
            cpu = new CpuIdentity(vendor, facts.Int("family"), facts.Int("model"));
            facts.Finish();
        }

        if (!fields.Has("host"))
        {
            fields.Missing("host", "a whole number, 0 for the first");
        }

        draft.Builder.AddHost(new TopologyHost(Host(fields)) { Name = fields.Text("name"), Cpu = cpu });
    }

    private void ReadNode(JsonObjectFields fields)
    {
        NodeId node = Node(fields);
        draft.Builder.AddNode(new NumaNode(node)
        {
            Host = Host(fields),
            Package = fields.Int("package"),
            Memory = fields.Parsed<ByteCount>("memory", MachineWords.TrySize, SizeForm),
            HasCpus = fields.Flag("hasCpus"),
            Device = fields.Parsed<PciAddress>("device", TryAddress, AddressForm),
        });
    }

    private void ReadBridge(JsonObjectFields fields)
    {
        bool isNamed = fields.TryRequired<PciBusId>("bus", TryBus, BusForm, out PciBusId bus);
        var bridge = new HostBridge
        {
            Host = Host(fields),
            Bus = bus,
            LastBus = fields.Parsed<byte>("lastBus", TryByte, "two hexadecimal digits, as \"3b\""),
            Node = Node(fields),
            Package = fields.Int("package"),
            IsRootBusComplete = fields.Flag("rootBusComplete") ?? true,
        };
        if (isNamed)
        {
            draft.TryAdd(bridge, fields.Position);
        }
    }

    private void ReadFunction(JsonObjectFields fields)
    {
        bool isNamed = fields.TryRequired<PciAddress>("address", TryAddress, AddressForm, out PciAddress address);
        var function = new PciFunction
        {
            Host = Host(fields),
            Address = address,
            Parent = fields.Parsed<PciAddress>("parent", TryAddress, AddressForm),
            HostBridge = fields.Parsed<PciBusId>("hostBridge", TryBus, BusForm),
            Id = fields.Parsed<PciId>("id", TryId, "\"vvvv:dddd\", as \"8086:2030\""),
            SubsystemId = fields.Parsed<PciId>("subsystem", TryId, "\"vvvv:dddd\", as \"8086:2030\""),
            Class = fields.Parsed<PciClass>("class", TryClass, "six hexadecimal digits, as \"060400\""),
            PortType = fields.Parsed<PciPortType>("port", MachineWords.Ports.TryValue, MachineWords.Ports.Allowed) ?? default,
            Acs = fields.Parsed<AcsControl>("acs", MachineWords.TryAcs, "\"absent\", or the register as \"0x001d\"") ?? default,
            Link = Link(fields.Object("link")),
            Node = Node(fields),
            Bars = [.. Each(fields, "bars").Select(ReadBar)],
            OsDevices = [.. Each(fields, "devices").Select(ReadDevice)],
            IommuGroup = fields.Int("iommuGroup"),
            BusesBelow = fields.Parsed<PciBusRange>("buses", MachineWords.TryBuses, "first and last bus, as \"2c-3b\""),
            Label = fields.Text("label"),
        };
        if (isNamed)
        {
            draft.TryAdd(function, fields.Position);
        }
    }

    private static PciLink Link(JsonObjectFields? fields)
    {
        if (fields is null)
        {
            return default;
        }

        var link = new PciLink(
            fields.Parsed<PciLinkState>("capable", MachineWords.TryLink, LinkForm) ?? default,
            fields.Parsed<PciLinkState>("current", MachineWords.TryLink, LinkForm) ?? default)
        {
            Reported = Bandwidth(fields, "reported"),
        };
        fields.Finish();
        return link;
    }

    private PciBar ReadBar(JsonObjectFields fields)
    {
        int index = (int?)fields.Number("index", 0, PciBar.RomIndex) ?? 0;
        if (!fields.Has("index"))
        {
            fields.Missing("index", $"a whole number from 0 to {PciBar.RomIndex}");
        }

        ulong? start = fields.Parsed<ulong>("address", MachineWords.TryAddress, HexForm);
        ByteCount? size = fields.Parsed<ByteCount>("size", MachineWords.TrySize, SizeForm);
        PciBarFlags flags = Flags(fields, "flags", MachineWords.BarFlags, (a, b) => a | b);
        ulong? bus = fields.Parsed<ulong>("busAddress", MachineWords.TryAddress, HexForm);
        fields.Finish();
        PhysAddr? address = start is { } value ? new PhysAddr(value) : null;
        if (address is { } from && size is { } length && !PhysRange.TryCreate(from, length, out _))
        {
            log.Error(fields.Position, "the BAR passes the top of the address space", $"{from} + {length}", "an end of at most 2^64");
            return default;
        }

        return new PciBar(index, address, size, flags) { BusAddress = bus is { } target ? new DmaAddr(target) : null };
    }

    private static OsDevice ReadDevice(JsonObjectFields fields)
    {
        string? name = fields.Text("name");
        if (name is null && !fields.Has("name"))
        {
            fields.Missing("name", "a string");
        }

        _ = fields.TryRequired<OsDeviceKind>("kind", MachineWords.Devices.TryValue, MachineWords.Devices.Allowed, out OsDeviceKind kind);
        fields.Finish();
        return new OsDevice(name ?? "", kind);
    }

    private void ReadInterconnect(JsonObjectFields fields)
    {
        _ = fields.TryRequired<InterconnectKind>(
            "kind", MachineWords.Interconnects.TryValue, MachineWords.Interconnects.Allowed, out InterconnectKind kind);
        const string placeForm = "an address, led by a host and / unless that is 0: \"1/0000:3b:00.1\"";
        _ = fields.TryRequired<PciPlace>("from", TryPlace, placeForm, out PciPlace from);
        draft.Builder.AddInterconnect(new InterconnectLink(kind, from)
        {
            To = fields.Parsed<PciPlace>("to", TryPlace, placeForm),
            ToName = fields.Text("toName"),
            Count = fields.Int("count"),
            Bandwidth = Bandwidth(fields, "bandwidth"),
        });
    }

    private static LinkBandwidth? Bandwidth(JsonObjectFields fields, string name) =>
        fields.Large(name) is { } bytes ? new LinkBandwidth(bytes) : null;

    private static HostId Host(JsonObjectFields fields) => new((ushort)(fields.Number("host", 0, ushort.MaxValue) ?? 0));

    private static NodeId Node(JsonObjectFields fields) =>
        fields.Number("node", 0, NodeId.MaxIndex) is { } index ? new NodeId((int)index) : NodeId.None;

    private T Flags<T>(JsonObjectFields fields, string name, WordTable<T> words, Func<T, T, T> join)
        where T : struct, Enum
    {
        T all = default;
        foreach (JsonTreeValue item in fields.Items(name))
        {
            if (item.Kind == JsonTokenType.String && words.TryValue(item.Text, out T flag))
            {
                all = join(all, flag);
                continue;
            }

            log.Error(item.Position, $"{name} has an unknown word", item.Shown, words.Allowed);
        }

        return all;
    }

    private void ForEach(JsonObjectFields file, string name, Action<JsonObjectFields> read)
    {
        foreach (JsonObjectFields fields in Each(file, name))
        {
            read(fields);
            fields.Finish();
        }
    }

    private IEnumerable<JsonObjectFields> Each(JsonObjectFields fields, string name) =>
        fields.Items(name).TakeWhile(_ => !log.IsFull).Select(item => new JsonObjectFields(item, log));

    private static bool TryAddress(string text, out PciAddress address) => PciAddress.TryParse(text, out address);

    private static bool TryBus(string text, out PciBusId bus) => PciBusId.TryParse(text, out bus);

    private static bool TryId(string text, out PciId id) => PciId.TryParse(text, out id);

    private static bool TryClass(string text, out PciClass code) => PciClass.TryParse(text, out code);

    private static bool TryPlace(string text, out PciPlace place) => PciPlace.TryParse(text, out place);

    private static bool TryByte(string text, out byte value)
    {
        bool fits = StrictNumber.TryHex(text, 0xff, out ulong number);
        value = (byte)number;
        return fits;
    }
}
