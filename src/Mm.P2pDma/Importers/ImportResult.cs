using System.Diagnostics.CodeAnalysis;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers;

/// <summary>What an importer made of a file: a whole machine, or the reasons why there is none.</summary>
/// <remarks>
/// A file's faults are values, and not an <c>Errno</c>: no kernel refuses here.
/// <para><b>Invariants:</b> (1) there is either a topology or at least one error, never both and never neither: nothing
/// is imported in part; (2) errors stand in the order in which they were found.</para>
/// <para><b>Locking:</b> immutable, except for the topology itself.</para>
/// </remarks>
public sealed class ImportResult
{
    private ImportResult(
        string format, Topology? topology, IReadOnlyList<ImportError> errors, IReadOnlyList<ImportNote> notes)
    {
        Format = format;
        Topology = topology;
        Errors = errors;
        Notes = notes;
    }

    /// <summary>The format that the file was read as: <see cref="IMachineImporter.Format"/>.</summary>
    public string Format { get; }

    /// <summary>The machine; null when the file was refused.</summary>
    public Topology? Topology { get; }

    /// <summary>Why the file was refused; empty when it was not.</summary>
    public IReadOnlyList<ImportError> Errors { get; }

    /// <summary>What was inferred, unknown or odd; perhaps also of a refused file.</summary>
    public IReadOnlyList<ImportNote> Notes { get; }

    /// <summary>Whether there is a machine.</summary>
    [MemberNotNullWhen(true, nameof(Topology))]
    public bool IsImported => Topology is not null;

    /// <summary>Makes the result of a file that was imported.</summary>
    /// <param name="format">The format that it was read as.</param>
    /// <param name="topology">The machine.</param>
    /// <param name="notes">What was inferred, unknown or odd.</param>
    /// <returns>The result.</returns>
    public static ImportResult Imported(string format, Topology topology, IReadOnlyList<ImportNote> notes)
    {
        ArgumentNullException.ThrowIfNull(topology);
        return new ImportResult(format, topology, [], notes);
    }

    /// <summary>Makes the result of a file that was refused.</summary>
    /// <param name="format">The format that it was read as.</param>
    /// <param name="errors">Why; at least one.</param>
    /// <param name="notes">What else was found.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException"><paramref name="errors"/> is empty.</exception>
    public static ImportResult Refused(
        string format, IReadOnlyList<ImportError> errors, IReadOnlyList<ImportNote>? notes = null)
    {
        if (errors.Count == 0)
        {
            throw new ArgumentException("a refusal must have at least one error", nameof(errors));
        }

        return new ImportResult(format, null, errors, notes ?? []);
    }

    /// <summary>The topology's name and counts, or the first error.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => IsImported ? $"{Format}: imported" : $"{Format}: {Errors[0]}";
}
