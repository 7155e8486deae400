using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>Cuts an <c>lspci</c> listing into the blocks of its functions.</summary>
/// <remarks>
/// A line that starts with an address starts a block; indented lines and hexadecimal rows belong to it; a blank line ends
/// it. lspci's own complaints (<c>pcilib: …</c>), which end up in many listings, are skipped. What an indented line means
/// is <see cref="LspciAttributes"/>' business.
/// <para><b>Locking:</b> the caller's; one import, one reader.</para>
/// </remarks>
/// <param name="log">Where errors and notes go.</param>
internal sealed class LspciReader(ImportLog log)
{
    private const int TabWidth = 8;
    private const int MaxLabelLength = 200;

    private LspciBlock? block;

    /// <summary>The blocks, in the file's order.</summary>
    internal List<LspciBlock> Blocks { get; } = [];

    /// <summary>Reads the listing, up to its end or until the log is full.</summary>
    /// <param name="lines">The lines.</param>
    /// <exception cref="ImportRefusedException">The text passes a limit.</exception>
    internal void Read(BoundedLineReader lines)
    {
        while (!log.IsFull && lines.TryReadLine(out string line))
        {
            ReadLine(line, lines.LineNumber);
        }

        if (Blocks.Count == 0 && !log.HasErrors)
        {
            log.Error(log.At(0, 0), "the listing names no function", "", "lspci's output: lines that start with an address");
        }
    }

    private void ReadLine(string line, int number)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            block = null;
        }
        else if (line[0] is ' ' or '\t')
        {
            ReadAttribute(line, number);
        }
        else if (LspciHexDump.IsRow(line))
        {
            if (HasBlock(number, line))
            {
                _ = block!.Hex.TryAddRow(line.TrimEnd(), number, log);
            }
        }
        else if (PciAddress.TryParse(Token(line), out PciAddress address))
        {
            StartBlock(address, line, number);
        }
        else if (IsComplaint(line))
        {
            log.Note(log.At(number, 1), "skipped a message of lspci's own");
        }
        else
        {
            log.Error(log.At(number, 1), "not a line of lspci", line, Advice(line));
        }
    }

    private static bool IsComplaint(string line) =>
        line.StartsWith("pcilib:", StringComparison.Ordinal) || line.StartsWith("lspci:", StringComparison.Ordinal);

    private static string Advice(string line) =>
        line.StartsWith("-[", StringComparison.Ordinal) || line.StartsWith("-+", StringComparison.Ordinal)
            ? "the listing of lspci -vvv or -xxxx, which tells more than the tree of lspci -t"
            : "an address as 3b:00.0, a hexadecimal row as \"00: 86 80\", or an indented line";

    private static ReadOnlySpan<char> Token(string line)
    {
        int end = line.IndexOf(' ');
        return end < 0 ? line : line.AsSpan(0, end);
    }

    private bool HasBlock(int number, string line)
    {
        if (block is null)
        {
            log.Error(log.At(number, 1), "the line belongs to no function", line, "a line that starts with an address before it");
        }

        return block is not null;
    }

    private void StartBlock(PciAddress address, string line, int number)
    {
        if (Blocks.Count >= log.Limits.MaxElements)
        {
            throw new ImportRefusedException(new ImportError(
                log.At(number, 1), "the listing has too many functions", "", $"at most {log.Limits.MaxElements}"));
        }

        block = new LspciBlock(address, log.At(number, 1));
        Blocks.Add(block);
        int start = Token(line).Length;
        string rest = line[start..].TrimStart();
        if (rest.StartsWith('"'))
        {
            log.Error(log.At(number, start + 2), "the machine-readable form tells too little", rest, "the listing of lspci -vvv or -nn");
            return;
        }

        ReadHeader(rest, number, line.Length - rest.Length + 1);
    }

    // "PCI bridge [0604]: Intel Corporation Device [8086:352a] (rev 04) (prog-if 00 [Normal decode])", or with -n
    // "0604: 8086:352a (rev 04)", or without numbers; nothing at all after the address is what some dumps have.
    private void ReadHeader(string text, int number, int column)
    {
        int colon = text.IndexOf(": ", StringComparison.Ordinal);
        if (text.Length == 0 || colon < 0)
        {
            block!.Label = Shorten(text);
            return;
        }

        string tail = text[(colon + 2)..];
        int revision = tail.IndexOf(" (rev ", StringComparison.Ordinal);
        int interfaceAt = tail.IndexOf(" (prog-if ", StringComparison.Ordinal);
        int end = Math.Min(revision < 0 ? tail.Length : revision, interfaceAt < 0 ? tail.Length : interfaceAt);
        ulong code = 0;
        if (interfaceAt >= 0 && !StrictNumber.TryHex(Slice(tail, interfaceAt + 10, 2), 0xff, out code))
        {
            log.Error(
                log.At(number, column + colon + 12 + interfaceAt),
                "not a programming interface",
                tail[(interfaceAt + 10)..],
                "two hexadecimal digits");
        }

        ReadClass(text[..colon], (uint)code, number, column);
        ReadIdentity(tail[..end], number, column + colon + 2);
    }

    private static ReadOnlySpan<char> Slice(string text, int start, int length) =>
        text.AsSpan(start, Math.Min(length, text.Length - start));

    private void ReadClass(string text, uint programmingInterface, int number, int column)
    {
        int bracket = text.LastIndexOf('[');
        if (bracket >= 0 && text.EndsWith(']'))
        {
            ReadOnlySpan<char> digits = text.AsSpan((bracket + 1)..^1);
            if (!StrictNumber.TryHex(digits, 0xffff, out ulong code) || digits.Length != 4)
            {
                log.Error(log.At(number, column + bracket), "not a class", text[bracket..], "four hexadecimal digits in brackets");
                return;
            }

            block!.Class = new PciClass(((uint)code << 8) | programmingInterface);
            return;
        }

        string name = text.StartsWith("Class ", StringComparison.Ordinal) ? text[6..] : text;
        if (name.Length == 4 && StrictNumber.TryHex(name, 0xffff, out ulong plain))
        {
            block!.Class = new PciClass(((uint)plain << 8) | programmingInterface);
        }
        else if (LspciClassNames.TryGet(name, out PciClass known))
        {
            block!.Class = new PciClass(known.Code | programmingInterface);
        }
        else
        {
            log.Note(log.At(number, column), "the class name is not a common one: the class stays unknown (lspci -nn prints numbers)");
        }
    }

    private void ReadIdentity(string text, int number, int column)
    {
        if (PciId.TryParse(text, out PciId plain))
        {
            block!.Id = Known(plain);
            return;
        }

        int bracket = text.LastIndexOf('[');
        if (bracket >= 0 && text.EndsWith(']') && text.IndexOf(':', bracket) >= 0)
        {
            if (!PciId.TryParse(text.AsSpan((bracket + 1)..^1), out PciId id))
            {
                log.Error(log.At(number, column + bracket), "not a vendor and device", text[bracket..], "as [8086:2030]");
                return;
            }

            block!.Id = Known(id);
            text = text[..bracket];
        }

        block!.Label = Shorten(text);
    }

    // All ones is what registers read as that nobody answers for.
    private static PciId? Known(PciId id) => id.Vendor == 0xffff ? null : id;

    private static string? Shorten(string text)
    {
        string trimmed = text.Trim();
        return trimmed.Length == 0 ? null
            : trimmed.Length > MaxLabelLength ? trimmed[..MaxLabelLength]
            : trimmed;
    }

    private void ReadAttribute(string line, int number)
    {
        if (!HasBlock(number, line.TrimStart()))
        {
            return;
        }

        int width = 0;
        int at = 0;
        for (; at < line.Length && line[at] is ' ' or '\t'; at++)
        {
            width = line[at] == '\t' ? width + TabWidth - (width % TabWidth) : width + 1;
        }

        block!.Indent = block.Indent == 0 ? width : block.Indent;
        LspciAttributes.Read(block, new LspciLine(line.TrimEnd(), at, number, log), isDetail: width > block.Indent);
    }
}
