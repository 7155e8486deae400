using System.Globalization;

namespace Mm.P2pDma.Topologies;

/// <summary>Bytes a second in one direction of a link or path.</summary>
/// <remarks><c>default</c> is 0, a link that is down; a bandwidth that is not known is <see langword="null"/>, never this. Immutable.</remarks>
/// <param name="BytesPerSecond">Bytes a second, one direction.</param>
public readonly record struct LinkBandwidth(ulong BytesPerSecond) : IComparable<LinkBandwidth>
{
    /// <summary>Makes one of megabytes (10^6) a second.</summary>
    /// <param name="megabytesPerSecond">10^6 bytes a second, one direction.</param>
    /// <returns>The bandwidth.</returns>
    public static LinkBandwidth FromMegabytes(ulong megabytesPerSecond) => new(checked(megabytesPerSecond * 1_000_000));

    /// <inheritdoc/>
    public int CompareTo(LinkBandwidth other) => BytesPerSecond.CompareTo(other.BytesPerSecond);

    /// <summary>Whether <paramref name="left"/> is slower.</summary>
    public static bool operator <(LinkBandwidth left, LinkBandwidth right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> is faster.</summary>
    public static bool operator >(LinkBandwidth left, LinkBandwidth right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> is slower or is equal.</summary>
    public static bool operator <=(LinkBandwidth left, LinkBandwidth right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> is faster or is equal.</summary>
    public static bool operator >=(LinkBandwidth left, LinkBandwidth right) => left.CompareTo(right) >= 0;

    /// <summary>The bandwidth as <c>31.5 GB/s</c> (10^9 bytes), one direction.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{BytesPerSecond / 1e9:0.0##} GB/s");
}
