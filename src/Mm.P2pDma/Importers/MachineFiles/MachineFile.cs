using System.Text;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.MachineFiles;

/// <summary>Mm's own machine file: JSON that holds all that a topology holds, in one stable text that people can edit.</summary>
/// <remarks>
/// Reading is strict: unknown members, names twice, wrong types and values out of range are refused with their place.
/// What is unknown is left out; nothing has a hidden default that a topology would not have.
/// <para><b>Invariants:</b> (1) reading what was written gives the same snapshot, in the same order; (2) writing what was
/// read gives the same text again, whatever the layout was before.</para>
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class MachineFile
{
    /// <summary>What the member <c>format</c> says.</summary>
    public const string FormatName = "mm-machine";

    /// <summary>The version that is written, and the only one that is read.</summary>
    public const int Version = 1;

    /// <summary>Writes a machine.</summary>
    /// <param name="snapshot">The machine.</param>
    /// <returns>The text: JSON, indented by two, lines ended by LF.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An enumeration of the snapshot has a value without a name.</exception>
    public static string Write(TopologySnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        using var stream = new MemoryStream();
        Write(snapshot, stream);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, checked((int)stream.Length));
    }

    /// <summary>Writes a machine.</summary>
    /// <param name="snapshot">The machine.</param>
    /// <param name="stream">Gets the text in UTF-8; stays open.</param>
    /// <exception cref="ArgumentOutOfRangeException">An enumeration of the snapshot has a value without a name.</exception>
    public static void Write(TopologySnapshot snapshot, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(stream);
        using (var writer = new MachineFileWriter(stream))
        {
            writer.Write(snapshot);
        }

        stream.WriteByte((byte)'\n');
    }

    /// <summary>Reads a machine.</summary>
    /// <param name="stream">The file, to its end; stays open.</param>
    /// <param name="name">What errors call the file.</param>
    /// <param name="limits">How much to take.</param>
    /// <returns>The machine, or why there is none.</returns>
    /// <exception cref="IOException">The stream could not be read.</exception>
    public static ImportResult Read(Stream stream, string name, ImportLimits limits)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(limits);
        var log = new ImportLog(name, limits);
        try
        {
            var reader = new MachineFileReader(log);
            reader.Read(BoundedJson.Load(stream, log));
            return log.Finish(FormatName, reader.Build);
        }
        catch (ImportRefusedException refusal)
        {
            return log.Refuse(FormatName, refusal.Error);
        }
    }
}
