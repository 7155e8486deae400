namespace Mm.P2pDma.Topologies;

/// <summary>A bus of a domain, as <c>0000:40</c>: what names a host bridge by its root bus.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct pci_bus, printed as <c>pci0000:40</c> in sysfs (v6.12).</para>
/// <para><c>default</c> is <c>0000:00</c>. Immutable.</para>
/// </remarks>
public readonly record struct PciBusId : IComparable<PciBusId>
{
    private readonly byte bus;

    /// <summary>Names a bus.</summary>
    /// <param name="domain">The domain (segment), any 32-bit value.</param>
    /// <param name="bus">The bus, 0 to 255.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bus"/> is out of its range.</exception>
    public PciBusId(uint domain, int bus)
    {
        if (bus is < 0 or > 255)
        {
            throw new ArgumentOutOfRangeException(nameof(bus), bus, $"bus {bus} is not in [0, 255]");
        }

        Domain = domain;
        this.bus = (byte)bus;
    }

    /// <summary>The domain (segment).</summary>
    public uint Domain { get; }

    /// <summary>The bus, 0 to 255.</summary>
    public int Bus => bus;

    /// <summary>Reads <c>dddd:bb</c> (domain of 1 to 8 hexadecimal digits) or <c>bb</c> (domain 0).</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <param name="id">The bus, or <c>default</c>.</param>
    /// <returns>Whether the text is one.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out PciBusId id)
    {
        id = default;
        int colon = text.IndexOf(':');
        uint domain = 0;
        if (colon >= 0 && !PciAddress.TryHex(text[..colon], 8, out domain))
        {
            return false;
        }

        if (!PciAddress.TryHex(text[(colon + 1)..], 2, out uint bus))
        {
            return false;
        }

        id = new PciBusId(domain, (int)bus);
        return true;
    }

    /// <summary>Reads <c>dddd:bb</c> or <c>bb</c>.</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <returns>The bus.</returns>
    /// <exception cref="FormatException">The text is not a bus.</exception>
    public static PciBusId Parse(string text) =>
        TryParse(text, out PciBusId id)
            ? id
            : throw new FormatException($"\"{text}\" is not a PCI bus; expected dddd:bb, as 0000:40");

    /// <inheritdoc/>
    public int CompareTo(PciBusId other)
    {
        int byDomain = Domain.CompareTo(other.Domain);
        return byDomain != 0 ? byDomain : bus.CompareTo(other.bus);
    }

    /// <summary>Whether <paramref name="left"/> comes first.</summary>
    public static bool operator <(PciBusId left, PciBusId right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> comes after.</summary>
    public static bool operator >(PciBusId left, PciBusId right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> comes first or is equal.</summary>
    public static bool operator <=(PciBusId left, PciBusId right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> comes after or is equal.</summary>
    public static bool operator >=(PciBusId left, PciBusId right) => left.CompareTo(right) >= 0;

    /// <summary>The bus as <c>0000:40</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Domain:x4}:{Bus:x2}";
}
