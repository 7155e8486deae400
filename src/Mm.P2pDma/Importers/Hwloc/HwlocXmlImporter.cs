using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Reads hwloc's XML, versions 2 and 3: what <c>lstopo machine.xml</c> writes.</summary>
/// <remarks>
/// hwloc knows neither ACS nor BARs: both stay unknown. It keeps only devices that it finds interesting, so that nobody
/// can say which device is the first of a root bus unless device 00.0 is listed. Port types are inferred from the nesting
/// (below a host bridge: root port; below that: upstream port; and so on), and a note says so.
/// Version 1 is refused: hwloc 2 converts it.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public sealed class HwlocXmlImporter : IMachineImporter
{
    /// <summary>The format's name.</summary>
    public const string FormatName = "hwloc-xml";

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
            : root.SequenceEqual("topology"u8) ? SniffConfidence.Certain
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

            var reader = new HwlocReader(log);
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
        if (root.Name != "topology")
        {
            log.Error(root.Position, "not an hwloc topology: the root element differs", root.Name, "topology");
            return false;
        }

        if (!root.TryGet("version", out XmlTreeAttribute version))
        {
            log.Error(
                root.Position,
                "the topology has no version, so hwloc 1 wrote it",
                "",
                "version 2 or 3 (convert it with hwloc 2: lstopo -i old.xml new.xml)");
            return false;
        }

        int dot = version.Value.IndexOf('.');
        bool isKnown = dot > 0
            && version.Value[..dot] is "2" or "3"
            && StrictNumber.TryDecimal(version.Value.AsSpan(dot + 1), 999, out _);
        if (!isKnown)
        {
            log.Error(version.Position, "the version is not known", version.Value, "2.x or 3.x");
        }

        return isKnown;
    }
}
