namespace Mm.P2pDma.Topologies;

/// <summary>Vendor and device identity of a function, as <c>8086:2030</c>.</summary>
/// <remarks>
/// <para><b>Linux:</b> pci_dev.vendor and .device (v6.12).</para>
/// <para><c>default</c> is <c>0000:0000</c>; an identity that is not known is <see langword="null"/>, never this. Immutable.</para>
/// </remarks>
/// <param name="Vendor">The vendor.</param>
/// <param name="Device">The device, in the vendor's own numbering.</param>
public readonly record struct PciId(ushort Vendor, ushort Device)
{
    /// <summary>Reads <c>vvvv:dddd</c>, hexadecimal.</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <param name="id">The identity, or <c>default</c>.</param>
    /// <returns>Whether the text is one.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out PciId id)
    {
        id = default;
        int colon = text.IndexOf(':');
        if (colon < 0
            || !PciAddress.TryHex(text[..colon], 4, out uint vendor)
            || !PciAddress.TryHex(text[(colon + 1)..], 4, out uint device))
        {
            return false;
        }

        id = new PciId((ushort)vendor, (ushort)device);
        return true;
    }

    /// <summary>The identity as <c>8086:2030</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Vendor:x4}:{Device:x4}";
}
