using System.Text.Encodings.Web;
using System.Text.Json;
using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.MachineFiles;

/// <summary>Writes a snapshot as Mm's machine file; the counterpart of <see cref="MachineFileReader"/>.</summary>
/// <param name="stream">Gets the text; stays open.</param>
internal sealed class MachineFileWriter(Stream stream) : IDisposable
{
    private readonly Utf8JsonWriter json = new(stream, new JsonWriterOptions
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // "unsafe" inside HTML only; keeps names readable
        Indented = true,
        IndentSize = 2,
        NewLine = "\n",
    });

    /// <summary>Ends the text; the stream stays open.</summary>
    public void Dispose() => json.Dispose();

    /// <summary>Writes the whole file.</summary>
    /// <param name="snapshot">The machine.</param>
    internal void Write(TopologySnapshot snapshot)
    {
        json.WriteStartObject();
        json.WriteString("format", MachineFile.FormatName);
        json.WriteNumber("version", MachineFile.Version);
        WriteFlags("omissions", snapshot.Omissions, MachineWords.Omissions);
        WriteAll("hosts", snapshot.Hosts, WriteHost);
        WriteAll("nodes", snapshot.Nodes, WriteNode);
        WriteAll("hostBridges", snapshot.HostBridges, WriteBridge);
        WriteAll("functions", snapshot.Functions, WriteFunction);
        WriteAll("interconnects", snapshot.Interconnects, WriteInterconnect);
        json.WriteEndObject();
    }

    private void WriteHost(TopologyHost host)
    {
        json.WriteNumber("host", host.Id.Index);
        WriteText("name", host.Name);
        if (host.Cpu == default)
        {
            return;
        }

        json.WriteStartObject("cpu");
        json.WriteString("vendor", MachineWords.Vendors.Word(host.Cpu.Vendor));
        WriteNumber("family", host.Cpu.Family);
        WriteNumber("model", host.Cpu.Model);
        json.WriteEndObject();
    }

    private void WriteNode(NumaNode node)
    {
        WriteHostId(node.Host);
        WriteNodeId(node.Node);
        WriteNumber("package", node.Package);
        WriteText("memory", node.Memory?.ToString());
        WriteFlag("hasCpus", node.HasCpus);
        WriteText("device", node.Device?.ToString());
    }

    private void WriteBridge(HostBridge bridge)
    {
        WriteHostId(bridge.Host);
        json.WriteString("bus", bridge.Bus.ToString());
        WriteText("lastBus", bridge.LastBus?.ToString("x2"));
        WriteNodeId(bridge.Node);
        WriteNumber("package", bridge.Package);
        WriteFlag("rootBusComplete", bridge.IsRootBusComplete);
    }

    private void WriteFunction(PciFunction function)
    {
        WriteHostId(function.Host);
        json.WriteString("address", function.Address.ToString());
        WriteText("parent", function.Parent?.ToString());
        if (function.Parent is null)
        {
            WriteText("hostBridge", function.HostBridge?.ToString()); // below a parent it is the parent's
        }

        WriteText("id", function.Id?.ToString());
        WriteText("subsystem", function.SubsystemId?.ToString());
        WriteText("class", function.Class?.ToString());
        WriteText("port", function.PortType == PciPortType.Unknown ? null : MachineWords.Ports.Word(function.PortType));
        WriteText("acs", MachineWords.Acs(function.Acs));
        WriteLink(function.Link);
        WriteNodeId(function.Node);
        WriteAll("bars", function.Bars, WriteBar);
        WriteAll("devices", function.OsDevices, WriteDevice);
        WriteNumber("iommuGroup", function.IommuGroup);
        WriteText("buses", function.BusesBelow is { } buses ? $"{buses.Secondary:x2}-{buses.Subordinate:x2}" : null);
        WriteText("label", function.Label);
    }

    private void WriteLink(PciLink link)
    {
        if (link == default)
        {
            return;
        }

        json.WriteStartObject("link");
        WriteText("capable", MachineWords.Link(link.Capable));
        WriteText("current", MachineWords.Link(link.Current));
        WriteBandwidth("reported", link.Reported);
        json.WriteEndObject();
    }

    private void WriteBar(PciBar bar)
    {
        json.WriteNumber("index", bar.Index);
        WriteText("address", bar.Address?.ToString());
        WriteText("size", bar.Size?.ToString());
        WriteFlags("flags", bar.Flags, MachineWords.BarFlags);
        WriteText("busAddress", bar.BusAddress?.ToString());
    }

    private void WriteDevice(OsDevice device)
    {
        json.WriteString("name", device.Name);
        json.WriteString("kind", MachineWords.Devices.Word(device.Kind));
    }

    private void WriteInterconnect(InterconnectLink link)
    {
        json.WriteString("kind", MachineWords.Interconnects.Word(link.Kind));
        json.WriteString("from", link.From.ToString());
        WriteText("to", link.To?.ToString());
        WriteText("toName", link.ToName);
        WriteNumber("count", link.Count);
        WriteBandwidth("bandwidth", link.Bandwidth);
    }

    private void WriteAll<T>(string name, IReadOnlyList<T> items, Action<T> write)
    {
        if (items.Count == 0)
        {
            return;
        }

        json.WriteStartArray(name);
        foreach (T item in items)
        {
            json.WriteStartObject();
            write(item);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WriteFlags<T>(string name, T flags, WordTable<T> words)
        where T : struct, Enum
    {
        if (EqualityComparer<T>.Default.Equals(flags, default))
        {
            return;
        }

        json.WriteStartArray(name);
        foreach (T value in words.Values.Where(value => flags.HasFlag(value)))
        {
            json.WriteStringValue(words.Word(value));
        }

        json.WriteEndArray();
    }

    private void WriteHostId(HostId host)
    {
        if (host != HostId.First)
        {
            json.WriteNumber("host", host.Index);
        }
    }

    private void WriteNodeId(NodeId node)
    {
        if (node.IsKnown)
        {
            json.WriteNumber("node", node.Index);
        }
    }

    private void WriteBandwidth(string name, LinkBandwidth? bandwidth)
    {
        if (bandwidth is { } known)
        {
            json.WriteNumber(name, known.BytesPerSecond);
        }
    }

    private void WriteText(string name, string? text)
    {
        if (text is not null)
        {
            json.WriteString(name, text);
        }
    }

    private void WriteNumber(string name, int? number)
    {
        if (number is { } known)
        {
            json.WriteNumber(name, known);
        }
    }

    private void WriteFlag(string name, bool? flag)
    {
        if (flag is { } known)
        {
            json.WriteBoolean(name, known);
        }
    }
}
