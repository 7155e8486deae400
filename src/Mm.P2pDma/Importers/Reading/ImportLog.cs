using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Collects the errors and notes of one import.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) at most <see cref="ImportLimits.MaxErrors"/> errors are kept; (2) at most
/// <see cref="MaxNotes"/> notes are kept, so that a file cannot fill memory with them.</para>
/// <para><b>Locking:</b> the caller's; one import, one log.</para>
/// </remarks>
/// <param name="file">The file's name.</param>
/// <param name="limits">The limits.</param>
internal sealed class ImportLog(string file, ImportLimits limits)
{
    /// <summary>How many notes are kept.</summary>
    internal const int MaxNotes = 200;

    private readonly List<ImportError> errors = [];
    private readonly List<ImportNote> notes = [];

    /// <summary>The file's name.</summary>
    internal string File { get; } = file;

    /// <summary>The limits.</summary>
    internal ImportLimits Limits { get; } = limits;

    /// <summary>Whether the file is refused already.</summary>
    internal bool HasErrors => errors.Count > 0;

    /// <summary>Whether it is pointless to look for more errors.</summary>
    internal bool IsFull => errors.Count >= Limits.MaxErrors;

    /// <summary>A place in this file.</summary>
    /// <param name="line">The line, from 1.</param>
    /// <param name="column">The column, from 1.</param>
    /// <returns>The place.</returns>
    internal ImportPosition At(int line, int column) => new(File, line, column);

    /// <summary>Adds an error, unless the log is full.</summary>
    /// <param name="error">The error.</param>
    internal void Add(ImportError error)
    {
        if (!IsFull)
        {
            errors.Add(error);
        }
    }

    /// <summary>Adds an error, unless the log is full.</summary>
    /// <param name="position">Where.</param>
    /// <param name="what">What is wrong.</param>
    /// <param name="found">What the file says.</param>
    /// <param name="allowed">What it might have said.</param>
    internal void Error(ImportPosition position, string what, string found, string allowed) =>
        Add(new ImportError(position, what, found, allowed));

    /// <summary>Adds a note, unless there are too many.</summary>
    /// <param name="position">Where.</param>
    /// <param name="text">What.</param>
    internal void Note(ImportPosition position, string text)
    {
        if (notes.Count < MaxNotes)
        {
            notes.Add(new ImportNote(position, text));
        }
    }

    /// <summary>Makes the result: the topology if there are no errors.</summary>
    /// <param name="format">The format's name.</param>
    /// <param name="build">Makes the topology; asked only when there are no errors. Null (with an error noted) refuses.</param>
    /// <returns>The result.</returns>
    internal ImportResult Finish(string format, Func<Topology?> build)
    {
        Topology? topology = HasErrors ? null : build();
        return topology is null || HasErrors
            ? ImportResult.Refused(format, errors, notes)
            : ImportResult.Imported(format, topology, notes);
    }

    /// <summary>Makes the result of a refused file.</summary>
    /// <param name="format">The format's name.</param>
    /// <param name="last">The error that ended it.</param>
    /// <returns>The result.</returns>
    internal ImportResult Refuse(string format, ImportError last)
    {
        if (!IsFull)
        {
            errors.Add(last);
        }

        return ImportResult.Refused(format, errors, notes);
    }
}
