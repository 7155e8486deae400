using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Nccl;

/// <summary>Reads the topology XML of NCCL and RCCL, versions 1 and 2: what <c>NCCL_TOPO_DUMP_FILE</c> writes and <c>NCCL_TOPO_FILE</c> reads.</summary>
/// <remarks>
/// NCCL walks two levels of the PCI tree at a time: it lists devices and the upstream ports of switches, and leaves root
/// ports and downstream ports out. So the topology says <see cref="Topologies.TopologyOmissions.Ports"/>, and host bridges,
/// ACS and BARs stay unknown. Bridges with made-up addresses (<c>ffff:ff:01.0</c>) stand for whole switches.
/// Several hosts may share a file, told apart by <c>host_hash</c>.
/// Not read: graph files (<c>&lt;graphs&gt;</c>), which hold the results of NCCL's search and no machine.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public sealed class NcclXmlImporter : IMachineImporter
{
    /// <summary>The format's name.</summary>
    public const string FormatName = "nccl-xml";

    /// <inheritdoc/>
    public string Format => FormatName;

    /// <inheritdoc/>
    public SniffConfidence Sniff(ReadOnlySpan<byte> header, string name)
    {
        if (!XmlSniff.TryRootName(header, out ReadOnlySpan<byte> root))
        {
            return SniffConfidence.None;
        }

        return root.IsEmpty ? SniffConfidence.Container
            : root.SequenceEqual("system"u8) || root.SequenceEqual("graphs"u8) ? SniffConfidence.Likely
            : SniffConfidence.None;
    }

    /// <inheritdoc/>
    public ImportResult Import(Stream stream, string name, ImportLimits limits)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(limits);
        var log = new ImportLog(name, limits);
        try
        {
            XmlTreeElement root = BoundedXml.Load(stream, log);
            if (!TryAccept(root, log))
            {
                return log.Finish(FormatName, () => null);
            }

            var reader = new NcclReader(log);
            reader.Read(root);
            return log.Finish(FormatName, reader.Build);
        }
        catch (ImportRefusedException refusal)
        {
            return log.Refuse(FormatName, refusal.Error);
        }
    }

    private static bool TryAccept(XmlTreeElement root, ImportLog log)
    {
        if (root.Name == "graphs")
        {
            log.Error(
                root.Position,
                "a graph file of NCCL: it holds the rings and trees that NCCL chose, not the machine",
                root.Name,
                "a topology, root element system (NCCL_TOPO_DUMP_FILE writes it)");
            return false;
        }

        if (root.Name != "system")
        {
            log.Error(root.Position, "not a topology of NCCL: the root element differs", root.Name, "system");
            return false;
        }

        if (root.Value("version") is "1" or "2")
        {
            return true;
        }

        ImportPosition position = root.TryGet("version", out XmlTreeAttribute version) ? version.Position : root.Position;
        log.Error(position, "the version is not known", version.Value ?? "", "1 or 2");
        return false;
    }
}
