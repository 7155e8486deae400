using System.Globalization;

namespace Mm.P2pDma.Topologies;

/// <summary>The transfer rate of one lane, as <c>16 GT/s</c>.</summary>
/// <remarks>
/// <para><b>Linux:</b> enum pci_bus_speed, as far as PCI Express (v6.12).</para>
/// <para><c>default</c> is <see cref="Unknown"/>. Immutable.</para>
/// </remarks>
/// <param name="TenthsOfGigatransfers">Tenths of 10^9 transfers a second: 25, 50, 80, 160, 320, 640; 0 is unknown.</param>
public readonly record struct PciLinkSpeed(ushort TenthsOfGigatransfers)
{
    /// <summary>The source does not say.</summary>
    public static PciLinkSpeed Unknown => default;

    /// <summary>Whether the source says.</summary>
    public bool IsKnown => TenthsOfGigatransfers != 0;

    /// <summary>The speed of a generation of PCI Express.</summary>
    /// <param name="generation">1 to 6.</param>
    /// <returns>2.5, 5, 8, 16, 32 or 64 GT/s.</returns>
    /// <exception cref="ArgumentOutOfRangeException">No such generation.</exception>
    public static PciLinkSpeed OfGeneration(int generation) => generation switch
    {
        1 => new(25),
        2 => new(50),
        3 => new(80),
        4 => new(160),
        5 => new(320),
        6 => new(640),
        _ => throw new ArgumentOutOfRangeException(
            nameof(generation), generation, $"PCI Express generation {generation} is not in [1, 6]"),
    };

    /// <summary>Reads the number before <c>GT/s</c>, whatever follows: <c>16 GT/s</c>, <c>8.0 GT/s PCIe</c>, <c>2.5GT/s</c>.</summary>
    /// <param name="text">The text; empty or <c>Unknown</c> is unknown.</param>
    /// <param name="speed">The speed, or unknown.</param>
    /// <returns>Whether the text is a speed or says that it is unknown.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out PciLinkSpeed speed)
    {
        speed = default;
        ReadOnlySpan<char> trimmed = text.Trim();
        if (trimmed.IsEmpty || trimmed.StartsWith("Unknown", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        int unit = trimmed.IndexOf("GT/s", StringComparison.OrdinalIgnoreCase);
        if (unit <= 0
            || !decimal.TryParse(
                trimmed[..unit].TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
            || value is < 0 or > 6000)
        {
            return false;
        }

        speed = new PciLinkSpeed((ushort)(value * 10));
        return true;
    }

    /// <summary>The speed as <c>2.5 GT/s</c>, or <c>unknown</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        IsKnown
            ? string.Create(CultureInfo.InvariantCulture, $"{TenthsOfGigatransfers / 10m:0.#} GT/s")
            : "unknown";
}
