using Mm.Core.Checks;

namespace Mm.P2pDma.Importers;

/// <summary>The promises of <see cref="IMachineImporter"/> as code: wraps an importer and checks what it returns.</summary>
/// <remarks>
/// For tests of importers, ours and users'. What it cannot see from outside (bounded memory, no other file read) is not checked.
/// <para><b>Locking:</b> as the wrapped importer.</para>
/// </remarks>
/// <param name="inner">The importer to hold to its promises.</param>
public sealed class MachineImporterContract(IMachineImporter inner) : IMachineImporter
{
    /// <inheritdoc/>
    /// <exception cref="MmBugException">The name is empty or not lower-case letters, digits and dashes.</exception>
    public string Format
    {
        get
        {
            string format = inner.Format;
            Check.That(
                format.Length > 0 && format.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-'),
                $"format name \"{format}\"");
            return format;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="MmBugException">The answer is not a defined one.</exception>
    public SniffConfidence Sniff(ReadOnlySpan<byte> header, string name)
    {
        SniffConfidence confidence = inner.Sniff(header, name);
        Check.That(
            confidence is >= SniffConfidence.None and <= SniffConfidence.Certain, $"{inner.Format}: sniffed {confidence}");
        return confidence;
    }

    /// <inheritdoc/>
    /// <exception cref="MmBugException">A promise is broken; the message names it.</exception>
    public ImportResult Import(Stream stream, string name, ImportLimits limits)
    {
        ImportResult result = inner.Import(stream, name, limits);
        Check.That(stream.CanRead, $"{inner.Format} closed the stream");
        Check.That(result.Format.Length > 0, $"{inner.Format}: a result without a format");
        Check.That(result.IsImported == (result.Errors.Count == 0), $"{inner.Format}: invariant 3");
        Check.That(result.Errors.Count <= limits.MaxErrors, $"{inner.Format}: {result.Errors.Count} errors");
        foreach (ImportError error in result.Errors)
        {
            Check.That(
                error.Position.File is not null && error.Position.File.StartsWith(name, StringComparison.Ordinal),
                $"{inner.Format}: the error \"{error}\" does not start with \"{name}\"");
            Check.That(error.What.Length > 0, $"{inner.Format}: an error without a what at {error.Position}");
        }

        return result;
    }
}
