using System.Diagnostics.CodeAnalysis;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Carries an error out of a reader that has no other way: from under an XML, JSON or unpacking library.</summary>
/// <remarks>Never leaves an importer: its entry catches it and makes it the result's last error.</remarks>
/// <param name="error">The error.</param>
[SuppressMessage("Design", "CA1064:Exceptions should be public", Justification = "no importer lets it out")]
internal sealed class ImportRefusedException(ImportError error) : Exception(error.ToString())
{
    /// <summary>The error.</summary>
    public ImportError Error { get; } = error;
}
