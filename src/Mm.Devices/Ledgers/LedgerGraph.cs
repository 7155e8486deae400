using System.Globalization;
using System.Net;
using System.Text;
using Mm.Core;

namespace Mm.Devices.Ledgers;

/// <summary>A ledger as a graph: holders on the left, owners on the right, what is held on the arrows.</summary>
/// <remarks>The same ledger gives the same text. Immutable.</remarks>
internal sealed class LedgerGraph
{
    private const int RowHeight = 28;
    private const int Margin = 16;
    private const int CharWidth = 7;
    private const int GapChars = 24;

    private readonly List<string> holders;
    private readonly List<string> owners;
    private readonly List<(int Holder, int Owner, string Label)> arrows;

    private LedgerGraph(List<string> holders, List<string> owners, List<(int Holder, int Owner, string Label)> arrows)
    {
        this.holders = holders;
        this.owners = owners;
        this.arrows = arrows;
    }

    /// <summary>Makes the graph.</summary>
    /// <param name="entries">The ledger's lines, sorted.</param>
    /// <param name="nameOf">The names of devices.</param>
    /// <returns>The graph.</returns>
    internal static LedgerGraph Of(IReadOnlyList<LedgerEntry> entries, Func<DeviceId, string> nameOf)
    {
        List<string> left = [.. entries.Select(static entry => entry.Holder).Distinct()];
        List<string> right = [.. entries.Select(entry => LedgerTable.OwnerOf(entry, nameOf)).Distinct().Order(StringComparer.Ordinal)];
        var between = new List<(int Holder, int Owner, string Label)>();
        foreach (IGrouping<(string Holder, string Owner), LedgerEntry> pair in entries.GroupBy(
            entry => (entry.Holder, LedgerTable.OwnerOf(entry, nameOf))))
        {
            string label = string.Join(", ", pair.Select(static entry => string.Create(
                CultureInfo.InvariantCulture, $"{entry.Count} {LedgerTable.Words(entry.Kind, entry.Count)} of {entry.Held}")));
            between.Add((left.IndexOf(pair.Key.Holder), right.IndexOf(pair.Key.Owner), label));
        }

        return new LedgerGraph(left, right, between);
    }

    /// <summary>In the language of Graphviz.</summary>
    /// <returns>The text.</returns>
    internal string ToDot()
    {
        var text = new StringBuilder("digraph ledger {\n  rankdir=LR;\n");
        AppendNodes(text, "h", holders, "ellipse");
        AppendNodes(text, "o", owners, "box");
        foreach ((int holder, int owner, string label) in arrows)
        {
            text.Append(CultureInfo.InvariantCulture, $"  h{holder} -> o{owner} [label={Quote(label)}];\n");
        }

        return text.Append("}\n").ToString();
    }

    /// <summary>As a picture: an arrow has its label above it, and none crosses another's words.</summary>
    /// <returns>The text.</returns>
    internal string ToSvg()
    {
        int left = WidthOf(holders);
        int middle = Math.Max(GapChars, arrows.Select(static arrow => arrow.Label.Length).DefaultIfEmpty().Max()) * CharWidth;
        int right = WidthOf(owners);
        int width = Margin + left + middle + right + Margin;
        int height = (2 * Margin) + (RowHeight * Math.Max(1, Math.Max(arrows.Count, Math.Max(holders.Count, owners.Count))));
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="monospace" font-size="12">
            <title>who holds what</title>

            """);
        for (int row = 0; row < arrows.Count; row++)
        {
            (int holder, int owner, string label) = arrows[row];
            int from = Margin + left;
            int to = from + middle;
            string bend = string.Create(
                CultureInfo.InvariantCulture, $"L {from + CharWidth} {Middle(row)} L {to - CharWidth} {Middle(row)}");
            text.Append(CultureInfo.InvariantCulture, $"""
                <path d="M {from} {Middle(holder)} {bend} L {to} {Middle(owner)}" fill="none" stroke="#0072b2"/>
                <text x="{from + (middle / 2)}" y="{Middle(row) - 4}" text-anchor="middle">{WebUtility.HtmlEncode(label)}</text>

                """);
        }

        AppendBoxes(text, holders, Margin, left, "#e69f00");
        AppendBoxes(text, owners, Margin + left + middle, right, "#56b4e9");
        return text.Append("</svg>\n").ToString();
    }

    private static int WidthOf(List<string> names) => (names.Select(static name => name.Length).DefaultIfEmpty().Max() + 2) * CharWidth;

    private static int Middle(int row) => Margin + (row * RowHeight) + (RowHeight / 2);

    private static void AppendBoxes(StringBuilder text, List<string> names, int x, int width, string color)
    {
        for (int row = 0; row < names.Count; row++)
        {
            text.Append(CultureInfo.InvariantCulture, $"""
                <rect x="{x}" y="{Middle(row) - 10}" width="{width}" height="20" rx="4" fill="{color}" fill-opacity="0.3" stroke="{color}"/>
                <text x="{x + (width / 2)}" y="{Middle(row) + 4}" text-anchor="middle">{WebUtility.HtmlEncode(names[row])}</text>

                """);
        }
    }

    private static void AppendNodes(StringBuilder text, string prefix, List<string> names, string shape)
    {
        for (int index = 0; index < names.Count; index++)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {prefix}{index} [label={Quote(names[index])}, shape={shape}];\n");
        }
    }

    private static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
