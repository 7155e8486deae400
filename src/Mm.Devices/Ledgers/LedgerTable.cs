using System.Globalization;
using System.Text;
using Mm.Core;

namespace Mm.Devices.Ledgers;

/// <summary>The lines of a ledger in columns.</summary>
internal static class LedgerTable
{
    private static readonly string[] Heads = ["holder", "count", "kind", "held", "of"];

    /// <summary>Writes the table.</summary>
    /// <param name="entries">The lines.</param>
    /// <param name="nameOf">The names of devices.</param>
    /// <returns>The text.</returns>
    internal static string Write(IReadOnlyList<LedgerEntry> entries, Func<DeviceId, string> nameOf)
    {
        List<string[]> rows = [Heads, .. entries.Select(entry => CellsOf(entry, nameOf))];
        int[] widths = [.. Heads.Select((_, column) => rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            IEnumerable<string> cells = row.Select((cell, column) => column == 1 ? cell.PadLeft(widths[1]) : cell.PadRight(widths[column]));
            text.AppendLine(string.Join("  ", cells).TrimEnd());
        }

        return text.ToString();
    }

    /// <summary>Who owns what a line holds.</summary>
    /// <param name="entry">The line.</param>
    /// <param name="nameOf">The names of devices.</param>
    /// <returns>The device's name, or the machine's memory.</returns>
    internal static string OwnerOf(LedgerEntry entry, Func<DeviceId, string> nameOf) =>
        entry.Owner.IsKnown ? nameOf(entry.Owner) : "RAM";

    private static string[] CellsOf(LedgerEntry entry, Func<DeviceId, string> nameOf) =>
    [
        entry.Holder,
        entry.Count.ToString(CultureInfo.InvariantCulture),
        Words(entry.Kind, entry.Count),
        entry.Held,
        OwnerOf(entry, nameOf),
    ];

    /// <summary>A kind in words.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="count">How many.</param>
    /// <returns>As <c>pin</c> or <c>pins</c>.</returns>
    internal static string Words(HoldingKind kind, ulong count)
    {
#pragma warning disable CA1308 // a word of a sentence, not a key
        string word = kind.ToString().ToLowerInvariant();
#pragma warning restore CA1308
        return count == 1 ? word : word + "s";
    }
}
