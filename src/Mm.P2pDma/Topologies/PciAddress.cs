using System.Globalization;

namespace Mm.P2pDma.Topologies;

/// <summary>Where a PCI function answers: domain, bus, device and function, as <c>0000:3b:00.1</c>.</summary>
/// <remarks>
/// Domains have up to 32 bits (VMD uses <c>10000</c>, NCCL writes <c>fffffff:ff:ff.0</c>). Ordered by domain, bus, device, function.
/// Unique within one host only; across hosts a function is named by its <see cref="PciPlace"/>.
/// <para><b>Linux:</b> pci_domain_nr and pci_dev_id, printed as pci_name does (drivers/pci/probe.c, v6.12).</para>
/// <para><c>default</c> is <c>0000:00:00.0</c>. Immutable.</para>
/// </remarks>
public readonly record struct PciAddress : IComparable<PciAddress>
{
    private const int MaxTextLength = 16;

    private readonly uint domain;
    private readonly ushort busDevfn;

    /// <summary>Names a function.</summary>
    /// <param name="domain">The domain (segment), any 32-bit value.</param>
    /// <param name="bus">The bus, 0 to 255.</param>
    /// <param name="device">The device, 0 to 31.</param>
    /// <param name="function">The function, 0 to 7.</param>
    /// <exception cref="ArgumentOutOfRangeException">A part is out of its range.</exception>
    public PciAddress(uint domain, int bus, int device, int function)
    {
        this.domain = domain;
        busDevfn = (ushort)((Part(bus, 255, nameof(bus)) << 8)
            | (Part(device, 31, nameof(device)) << 3)
            | Part(function, 7, nameof(function)));
    }

    /// <summary>The domain (segment).</summary>
    public uint Domain => domain;

    /// <summary>The bus, 0 to 255.</summary>
    public int Bus => busDevfn >> 8;

    /// <summary>The device, 0 to 31.</summary>
    public int Device => (busDevfn >> 3) & 31;

    /// <summary>The function, 0 to 7.</summary>
    public int Function => busDevfn & 7;

    /// <summary>The domain and bus that the function sits on.</summary>
    public PciBusId BusId => new(domain, Bus);

    /// <summary>Whether this is device 0, function 0 of its bus.</summary>
    /// <remarks><b>Linux:</b> devfn == PCI_DEVFN(0, 0) (v6.12).</remarks>
    public bool IsDeviceZero => (busDevfn & 0xff) == 0;

    /// <summary>Reads <c>dddd:bb:dd.f</c> (domain of 1 to 8 hexadecimal digits) or <c>bb:dd.f</c> (domain 0).</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <param name="address">The address, or <c>default</c>.</param>
    /// <returns>Whether the text is one.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out PciAddress address)
    {
        address = default;
        int dot = text.LastIndexOf('.');
        if (text.Length > MaxTextLength || dot < 0)
        {
            return false;
        }

        int deviceColon = text[..dot].LastIndexOf(':');
        if (deviceColon < 0
            || !PciBusId.TryParse(text[..deviceColon], out PciBusId bus)
            || !TryHex(text[(deviceColon + 1)..dot], 2, out uint device)
            || !TryHex(text[(dot + 1)..], 1, out uint function)
            || device > 31
            || function > 7)
        {
            return false;
        }

        address = new PciAddress(bus.Domain, bus.Bus, (int)device, (int)function);
        return true;
    }

    /// <summary>Reads <c>dddd:bb:dd.f</c> or <c>bb:dd.f</c>.</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <returns>The address.</returns>
    /// <exception cref="FormatException">The text is not an address.</exception>
    public static PciAddress Parse(string text) =>
        TryParse(text, out PciAddress address)
            ? address
            : throw new FormatException($"\"{text}\" is not a PCI address; expected dddd:bb:dd.f, as 0000:3b:00.1");

    /// <inheritdoc/>
    public int CompareTo(PciAddress other)
    {
        int byDomain = domain.CompareTo(other.domain);
        return byDomain != 0 ? byDomain : busDevfn.CompareTo(other.busDevfn);
    }

    /// <summary>Whether <paramref name="left"/> comes first.</summary>
    public static bool operator <(PciAddress left, PciAddress right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> comes after.</summary>
    public static bool operator >(PciAddress left, PciAddress right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> comes first or is equal.</summary>
    public static bool operator <=(PciAddress left, PciAddress right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> comes after or is equal.</summary>
    public static bool operator >=(PciAddress left, PciAddress right) => left.CompareTo(right) >= 0;

    /// <summary>The address as Linux prints it: <c>0000:3b:00.1</c>; wider domains with all their digits.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{domain:x4}:{Bus:x2}:{Device:x2}.{Function:x1}";

    internal static bool TryHex(ReadOnlySpan<char> text, int maxDigits, out uint value)
    {
        value = 0;
        return text.Length > 0 && text.Length <= maxDigits
            && uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private static int Part(int value, int max, string name) =>
        value >= 0 && value <= max
            ? value
            : throw new ArgumentOutOfRangeException(name, value, $"{name} {value} of a PCI address is not in [0, {max}]");
}
