namespace Mm.P2pDma.Importers.MachineFiles;

/// <summary>Reads Mm's own machine files, as one importer among the others.</summary>
/// <remarks>
/// All the work is done by <see cref="MachineFile"/>.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public sealed class MachineFileImporter : IMachineImporter
{
    /// <inheritdoc/>
    public string Format => MachineFile.FormatName;

    /// <inheritdoc/>
    public SniffConfidence Sniff(ReadOnlySpan<byte> header, string name)
    {
        ReadOnlySpan<byte> rest = header.StartsWith("\uFEFF"u8) ? header[3..] : header;
        rest = rest.TrimStart(" \t\r\n"u8);
        return rest.IsEmpty || rest[0] != (byte)'{' ? SniffConfidence.None
            : rest.IndexOf("\"mm-machine\""u8) >= 0 ? SniffConfidence.Certain
            : SniffConfidence.Container;
    }

    /// <inheritdoc/>
    public ImportResult Import(Stream stream, string name, ImportLimits limits) => MachineFile.Read(stream, name, limits);
}
