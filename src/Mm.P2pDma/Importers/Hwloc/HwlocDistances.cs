using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Reads hwloc's bandwidth matrices of NVLink and xGMI as interconnect facts.</summary>
/// <remarks>
/// Other distances (NUMA latencies) are not read. Values are MB/s in one direction, row to column; 0 is no link; the
/// diagonal is local and skipped. A matrix may be spread over many elements.
/// </remarks>
/// <param name="log">Where errors and notes go.</param>
/// <param name="functions">The functions by what hwloc calls them: <c>OSDev:802</c>.</param>
/// <param name="packages">The packages by what hwloc calls them: <c>Package:3</c>.</param>
internal sealed class HwlocDistances(
    ImportLog log, Dictionary<string, HwlocFunction> functions, Dictionary<string, string> packages)
{
    private const int MaxObjects = 1024;

    /// <summary>Reads every matrix that tells links.</summary>
    /// <param name="root">The <c>topology</c> element.</param>
    /// <param name="builder">Gets the links.</param>
    internal void Read(XmlTreeElement root, TopologyBuilder builder)
    {
        foreach (XmlTreeElement element in root.Children)
        {
            if (element.Name is "distances2" or "distances2hetero" && KindOf(element.Value("name")) is { } kind)
            {
                ReadMatrix(element, kind, builder);
            }
        }
    }

    private static InterconnectKind? KindOf(string? name) => name switch
    {
        "NVLinkBandwidth" => InterconnectKind.NvLink,
        "XGMIBandwidth" => InterconnectKind.Xgmi,
        "XeLinkBandwidth" => InterconnectKind.Other,
        _ => null,
    };

    private void ReadMatrix(XmlTreeElement element, InterconnectKind kind, TopologyBuilder builder)
    {
        if (!element.TryGet("nbobjs", out XmlTreeAttribute attribute)
            || !StrictNumber.TryDecimal(attribute.Value, MaxObjects, out ulong count))
        {
            log.Error(element.Position, "the number of objects of a matrix", element.Value("nbobjs") ?? "", $"0 to {MaxObjects}");
            return;
        }

        string[] names = Names(element);
        string[] values = Words(element, "u64values");
        if (names.Length != (int)count || values.Length != (int)(count * count))
        {
            log.Error(
                element.Position,
                "the matrix is not complete",
                $"{names.Length} indexes and {values.Length} values",
                $"{count} indexes and {count * count} values");
            return;
        }

        for (int row = 0; row < names.Length; row++)
        {
            ReadRow(element, kind, names, values, row, builder);
        }
    }

    private void ReadRow(
        XmlTreeElement element, InterconnectKind kind, string[] names, string[] values, int row, TopologyBuilder builder)
    {
        if (!functions.TryGetValue(names[row], out HwlocFunction? from))
        {
            if (!packages.ContainsKey(names[row]))
            {
                log.Note(element.Position, $"the matrix names {names[row]}, which is no function or package of the file");
            }

            return; // a link is told from the function's end too
        }

        for (int column = 0; column < names.Length; column++)
        {
            string text = values[(row * names.Length) + column];
            if (!StrictNumber.TryDecimal(text, ulong.MaxValue / 1_000_000, out ulong megabytes))
            {
                log.Error(element.Position, "a value of the matrix is not a number", text, "MB/s, decimal");
                return;
            }

            functions.TryGetValue(names[column], out HwlocFunction? to);
            if (megabytes != 0 && column != row && to != from)
            {
                builder.AddInterconnect(new InterconnectLink(kind, from.Facts.Place)
                {
                    To = to?.Facts.Place,
                    ToName = to is null ? packages.GetValueOrDefault(names[column], names[column]) : null,
                    Bandwidth = LinkBandwidth.FromMegabytes(megabytes),
                });
            }
        }
    }

    // A matrix of objects of one type names only their numbers.
    private static string[] Names(XmlTreeElement element)
    {
        string[] words = Words(element, "indexes");
        return element.Name == "distances2" ? [.. words.Select(word => $"{element.Value("type")}:{word}")] : words;
    }

    private static string[] Words(XmlTreeElement element, string name) =>
        [.. element.Children
            .Where(child => child.Name == name)
            .SelectMany(child => child.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))];
}
