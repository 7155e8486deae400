using Mm.P2pDma.Importers.Hwloc;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Importers.Nccl;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;

namespace Mm.P2pDma.Importers;

/// <summary>Opens a description of a machine in any format that Mm reads: finds out which, unpacks, imports.</summary>
/// <remarks>
/// Formats are told by contents, not by names; gzip and bzip2 by their first bytes, one layer of them.
/// Not responsible for what a format means: each has its <see cref="IMachineImporter"/>.
/// <para><b>Linux:</b> none: this is about files.</para>
/// <para><b>Invariants:</b> (1) a file's faults never throw; (2) memory and time stay within the limits.</para>
/// <para><b>Locking:</b> stateless; any thread may call it.</para>
/// </remarks>
public static class MachineImport
{
    /// <summary>What a result is called whose format nobody found.</summary>
    public const string UnknownFormat = "unknown";

    /// <summary>The importers, asked in this order.</summary>
    public static IReadOnlyList<IMachineImporter> Importers { get; } =
    [
        new HwlocXmlImporter(),
        new NcclXmlImporter(),
        new MachineFileImporter(),
        new SysfsTarImporter(),
        new LspciImporter(),
    ];

    /// <summary>Reads a machine from a file or folder.</summary>
    /// <param name="path">The file, or the folder of a sysfs tree.</param>
    /// <param name="limits">How much to take; the default limits where null.</param>
    /// <returns>The machine, or why there is none: also where the file cannot be read.</returns>
    public static ImportResult Open(string path, ImportLimits? limits = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ImportLimits bounds = limits ?? ImportLimits.Default;
        if (Directory.Exists(path))
        {
            return SysfsFolder.Import(path, bounds);
        }

        try
        {
            using FileStream stream = File.OpenRead(path);
            return Open(stream, path, bounds);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Refuse(new ImportPosition(path, 0, 0), "the file cannot be read", exception.Message, "");
        }
    }

    /// <summary>Reads a machine from a stream.</summary>
    /// <param name="stream">The file, from where it stands; stays open.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="limits">How much to take; the default limits where null.</param>
    /// <returns>The machine, or why there is none.</returns>
    /// <exception cref="IOException">The stream could not be read.</exception>
    public static ImportResult Open(Stream stream, string name, ImportLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        ImportLimits bounds = limits ?? ImportLimits.Default;
        var place = new ImportPosition(name, 0, 0);
        try
        {
            using var peekable = new PeekableStream(stream);
            ReadOnlySpan<byte> header = peekable.Peek(IMachineImporter.SniffLength);
            if (!UnpackedStream.IsPacked(header))
            {
                return Import(peekable, name, bounds);
            }

            using var stored = new BoundedStream(peekable, place, "the file is too large", bounds.MaxFileSize);
            using var packed = new PeekableStream(stored);
            using UnpackedStream unpacked = UnpackedStream.Open(packed, header, place);
            using var bounded = new BoundedStream(unpacked, place, "the unpacked file is too large", bounds.MaxUnpackedSize);
            using var contents = new PeekableStream(bounded);
            return Import(contents, name, bounds);
        }
        catch (ImportRefusedException refusal)
        {
            return ImportResult.Refused(UnknownFormat, [refusal.Error]);
        }
    }

    private static ImportResult Import(PeekableStream stream, string name, ImportLimits limits)
    {
        ReadOnlySpan<byte> header = stream.Peek(IMachineImporter.SniffLength);
        var best = SniffConfidence.None;
        IMachineImporter? chosen = null;
        foreach (IMachineImporter importer in Importers)
        {
            SniffConfidence confidence = importer.Sniff(header, name);
            if (confidence > best)
            {
                best = confidence;
                chosen = importer;
            }
        }

        return chosen is not null ? chosen.Import(stream, name, limits) : RefuseUnknown(header, name);
    }

    private static ImportResult RefuseUnknown(ReadOnlySpan<byte> header, string name)
    {
        var start = new ImportPosition(name, 1, 1);
        if (header.IsEmpty)
        {
            return Refuse(start, "the file is empty", "", Known());
        }

        return ForeignFormats.Advise(header) is { } advice
            ? Refuse(start, advice, "", Known())
            : Refuse(start, "the format is not known", FirstLine(header), Known());
    }

    private static string Known() => string.Join(", ", Importers.Select(importer => importer.Format)) + ", plain or packed (gz, bz2)";

    private static string FirstLine(ReadOnlySpan<byte> header)
    {
        int end = header.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? header : header[..end];
        return System.Text.Encoding.UTF8.GetString(line[..Math.Min(line.Length, 2 * ImportError.MaxFoundLength)]);
    }

    private static ImportResult Refuse(ImportPosition position, string what, string found, string allowed) =>
        ImportResult.Refused(UnknownFormat, [new ImportError(position, what, found, allowed)]);
}
