using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>Reads what <c>lspci</c> prints: text (<c>-nn</c> to <c>-vvv</c>), hexadecimal dumps (<c>-x</c> to <c>-xxxx</c>), or both together.</summary>
/// <remarks>
/// The tree is made of bus numbers; a bus that no bridge leads to is a root bus. What a listing does not say stays
/// unknown: ACS and port types where it was not made as root (64 bytes, <c>&lt;access denied&gt;</c>), vendor and device
/// where only names are printed, sizes of BARs in dumps (but for resizable ones), the CPU always.
/// <para><b>Linux:</b> the listing shows what sysfs's <c>config</c> and <c>resource</c> files hold (v6.12); pciutils 3.x prints it.</para>
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public sealed class LspciImporter : IMachineImporter
{
    /// <summary>The format's name.</summary>
    public const string FormatName = "lspci";

    /// <inheritdoc/>
    public string Format => FormatName;

    /// <inheritdoc/>
    public SniffConfidence Sniff(ReadOnlySpan<byte> header, string name)
    {
        // The first line that starts with an address tells; lspci's own complaints may stand before it.
        ReadOnlySpan<byte> rest = header.StartsWith("\uFEFF"u8) ? header[3..] : header;
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? rest : rest[..end];
            if (StartsWithAddress(line))
            {
                return SniffConfidence.Likely;
            }

            bool mayStandBefore = line.TrimEnd((byte)'\r').IsEmpty || line.StartsWith("pcilib:"u8) || line.StartsWith("lspci:"u8);
            if (!mayStandBefore || end < 0)
            {
                break;
            }

            rest = rest[(end + 1)..];
        }

        return SniffConfidence.None;
    }

    /// <inheritdoc/>
    public ImportResult Import(Stream stream, string name, ImportLimits limits)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(limits);
        var log = new ImportLog(name, limits);
        try
        {
            var reader = new LspciReader(log);
            using (var lines = new BoundedLineReader(stream, log))
            {
                reader.Read(lines);
            }

            return log.Finish(FormatName, () => Assemble(reader.Blocks, log));
        }
        catch (ImportRefusedException refusal)
        {
            return log.Refuse(FormatName, refusal.Error);
        }
    }

    private static Topology? Assemble(List<LspciBlock> blocks, ImportLog log)
    {
        var tree = new PciTreeAssembler(log);
        foreach (LspciBlock block in blocks)
        {
            tree.Add(block.ToFunction(log), block.Position);
        }

        if (log.HasErrors)
        {
            return null;
        }

        log.Note(log.At(0, 0), "lspci does not tell the CPU: its vendor and family are unknown");
        NoteUnknown(blocks, log);
        return tree.Build();
    }

    private static void NoteUnknown(List<LspciBlock> blocks, ImportLog log)
    {
        int denied = blocks.Count(block => block.AreCapabilitiesDenied);
        if (denied > 0)
        {
            log.Note(log.At(0, 0), $"lspci was not run as root: the capabilities of {denied} functions, and so their ACS, are unknown");
        }

        if (blocks.Exists(block => block.HasGuessedBars))
        {
            log.Note(log.At(0, 0), "the listing (lspci -v) does not number the regions: each is taken for the next free BAR");
        }
    }

    private static bool StartsWithAddress(ReadOnlySpan<byte> line)
    {
        int end = line.IndexOf((byte)' ');
        ReadOnlySpan<byte> token = (end < 0 ? line : line[..end]).TrimEnd((byte)'\r');
        if (token.Length is < 7 or > 16)
        {
            return false;
        }

        Span<char> text = stackalloc char[token.Length];
        for (int index = 0; index < token.Length; index++)
        {
            text[index] = (char)token[index];
        }

        return PciAddress.TryParse(text, out _);
    }
}
