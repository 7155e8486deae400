namespace Mm.P2pDma.Importers;

/// <summary>Reads one format of machine descriptions.</summary>
/// <remarks>
/// Users may add importers of their own and hold them against <see cref="MachineImporterContract"/>.
/// <para><b>Invariants:</b> (1) whatever the bytes, <see cref="Sniff"/> and <see cref="Import"/> return: a file's faults
/// are errors in the result, never exceptions (those of the stream's own reading pass through);
/// (2) memory and time stay bounded by the limits; (3) nothing is imported in part; (4) what the format cannot say
/// stays unknown; (5) nothing outside the stream is read: no file, no address, no environment.</para>
/// <para><b>Locking:</b> an importer has no state; any thread may call it.</para>
/// </remarks>
public interface IMachineImporter
{
    /// <summary>How many first bytes <see cref="Sniff"/> likes to see; fewer are given only where the file is shorter.</summary>
    const int SniffLength = 4096;

    /// <summary>What the format is called, in lower case with dashes: <c>hwloc-xml</c>.</summary>
    string Format { get; }

    /// <summary>Says whether the file looks like this format.</summary>
    /// <param name="header">The first bytes, up to <see cref="SniffLength"/>; perhaps none.</param>
    /// <param name="name">The file's name; perhaps empty. A hint only.</param>
    /// <returns>How sure it is.</returns>
    SniffConfidence Sniff(ReadOnlySpan<byte> header, string name);

    /// <summary>Reads a machine.</summary>
    /// <param name="stream">The file, read from where it stands to its end at most; it stays open.</param>
    /// <param name="name">What errors call the file.</param>
    /// <param name="limits">How much to take.</param>
    /// <returns>The machine, or why there is none.</returns>
    /// <exception cref="IOException">The stream could not be read.</exception>
    ImportResult Import(Stream stream, string name, ImportLimits limits);
}
