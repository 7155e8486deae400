namespace Mm.P2pDma.Topologies;

/// <summary>The class code of a function: base class, subclass and programming interface, as <c>060400</c>.</summary>
/// <remarks>
/// <para><b>Linux:</b> pci_dev.class (v6.12).</para>
/// <para><c>default</c> is <c>000000</c>; a class that is not known is <see langword="null"/>, never this. Immutable.</para>
/// </remarks>
public readonly record struct PciClass
{
    private const uint Max = 0xffffff;

    /// <summary>Makes a class from its 24-bit code.</summary>
    /// <param name="code">The code, 0 to 0xffffff.</param>
    /// <exception cref="ArgumentOutOfRangeException">The code has more than 24 bits.</exception>
    public PciClass(uint code)
    {
        if (code > Max)
        {
            throw new ArgumentOutOfRangeException(nameof(code), code, $"class code 0x{code:x} is not in [0, 0xffffff]");
        }

        Code = code;
    }

    /// <summary>A PCI-to-PCI bridge, <c>060400</c>: root ports, switch ports and older bridges.</summary>
    public static PciClass PciBridge => new(0x060400);

    /// <summary>A host bridge, <c>060000</c>.</summary>
    public static PciClass HostBridge => new(0x060000);

    /// <summary>The 24-bit code.</summary>
    public uint Code { get; }

    /// <summary>The base class, 0x06 for bridges.</summary>
    public int BaseClass => (int)(Code >> 16);

    /// <summary>The subclass, 0x04 for a PCI bridge.</summary>
    public int Subclass => (int)((Code >> 8) & 0xff);

    /// <summary>Whether functions can sit below: a PCI-to-PCI bridge (0604) or a semi-transparent one (0609).</summary>
    public bool IsPciBridge => Code >> 8 is 0x0604 or 0x0609;

    /// <summary>Reads 4 hexadecimal digits (base and subclass) or 6, perhaps after <c>0x</c>.</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <param name="value">The class, or <c>default</c>.</param>
    /// <returns>Whether the text is one.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out PciClass value)
    {
        value = default;
        ReadOnlySpan<char> digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        if (digits.Length is not (4 or 6) || !PciAddress.TryHex(digits, 6, out uint code))
        {
            return false;
        }

        value = new PciClass(digits.Length == 4 ? code << 8 : code);
        return true;
    }

    /// <summary>The class as six hexadecimal digits.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Code.ToString("x6");
}
