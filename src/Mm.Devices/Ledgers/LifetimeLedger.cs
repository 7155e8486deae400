using Mm.Core;
using Mm.Core.Checks;

namespace Mm.Devices.Ledgers;

/// <summary>Who holds what of whom, at one look: why a device cannot be unbound, in one table.</summary>
/// <remarks>
/// Owns copies of what its sources said. Equal lines are added up; the order is by holder, kind, what is held, and owner,
/// so that two ledgers of the same state are the same text.
/// <para><b>Linux:</b> none (v6.12): the answer is spread over debugfs files of dma-buf, page_pool, rdma and the driver core.</para>
/// <para>Immutable. Each source is asked once, in turn: at rest the ledger is exact, otherwise each line is of its moment.</para>
/// </remarks>
public sealed class LifetimeLedger
{
    private readonly LedgerEntry[] entries;

    private LifetimeLedger(LedgerEntry[] entries) => this.entries = entries;

    /// <summary>The lines.</summary>
    public IReadOnlyList<LedgerEntry> Entries => entries;

    /// <summary>Whether nobody holds anything.</summary>
    public bool IsEmpty => entries.Length == 0;

    /// <summary>Asks everybody.</summary>
    /// <param name="sources">Who may hold something.</param>
    /// <returns>The ledger.</returns>
    /// <exception cref="MmBugException">A source reported a count of zero, or a holder without a name.</exception>
    public static LifetimeLedger Of(params IEnumerable<ILedgerSource> sources)
    {
        ArgumentNullException.ThrowIfNull(sources);
        var reported = new List<LedgerEntry>();
        foreach (ILedgerSource source in sources)
        {
            source.Report(reported);
        }

        foreach (LedgerEntry entry in reported)
        {
            Check.That(entry.Count != 0 && !string.IsNullOrEmpty(entry.Holder), $"a line of a ledger holds something: {entry}");
        }

        return new LifetimeLedger([
            .. reported
                .GroupBy(static entry => entry with { Count = 0 })
                .Select(static group => group.Key with { Count = group.Aggregate(0UL, static (sum, entry) => checked(sum + entry.Count)) })
                .OrderBy(static entry => entry.Holder, StringComparer.Ordinal)
                .ThenBy(static entry => entry.Kind)
                .ThenBy(static entry => entry.Held, StringComparer.Ordinal)
                .ThenBy(static entry => entry.Owner.Value),
        ]);
    }

    /// <summary>Why a device cannot be unbound: the lines that are held of it.</summary>
    /// <param name="owner">The device.</param>
    /// <returns>The lines; empty when it can go.</returns>
    public IReadOnlyList<LedgerEntry> HeldOf(DeviceId owner) => [.. entries.Where(entry => entry.Owner == owner)];

    /// <summary>How many of a kind are held in all.</summary>
    /// <param name="kind">The kind.</param>
    /// <returns>The sum of its lines.</returns>
    public ulong CountOf(HoldingKind kind) =>
        entries.Where(entry => entry.Kind == kind).Aggregate(0UL, static (sum, entry) => checked(sum + entry.Count));

    /// <summary>The ledger as a table, a line an entry.</summary>
    /// <param name="nameOf">The names of devices, as <see cref="Machine.DeviceName"/>.</param>
    /// <returns>The text; one line that says so when nobody holds anything.</returns>
    public string ToTable(Func<DeviceId, string> nameOf)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        return IsEmpty ? "nobody holds anything" + Environment.NewLine : LedgerTable.Write(entries, nameOf);
    }

    /// <summary>The ledger as a graph in the language of Graphviz: an arrow from each holder to the device it holds.</summary>
    /// <param name="nameOf">The names of devices, as <see cref="Machine.DeviceName"/>.</param>
    /// <returns>The text, for <c>dot</c>.</returns>
    public string ToDot(Func<DeviceId, string> nameOf)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        return LedgerGraph.Of(entries, nameOf).ToDot();
    }

    /// <summary>The same graph as a picture.</summary>
    /// <param name="nameOf">The names of devices, as <see cref="Machine.DeviceName"/>.</param>
    /// <returns>The text of an SVG file.</returns>
    public string ToSvg(Func<DeviceId, string> nameOf)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        return LedgerGraph.Of(entries, nameOf).ToSvg();
    }
}
