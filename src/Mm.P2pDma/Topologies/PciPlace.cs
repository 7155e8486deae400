namespace Mm.P2pDma.Topologies;

/// <summary>The full name of a function in a topology: its host and its address there.</summary>
/// <remarks>
/// A plain <see cref="PciAddress"/> converts to its place on the first host.
/// <para><c>default</c> is <c>0000:00:00.0</c> of the first host. Immutable.</para>
/// </remarks>
/// <param name="Host">The host.</param>
/// <param name="Address">The address on that host.</param>
public readonly record struct PciPlace(HostId Host, PciAddress Address) : IComparable<PciPlace>
{
    /// <summary>The place of an address on the first host.</summary>
    /// <param name="address">The address.</param>
    public static implicit operator PciPlace(PciAddress address) => new(HostId.First, address);

    /// <summary>Reads an address on the first host, or one of another host as <c>1/0000:3b:00.1</c>.</summary>
    /// <param name="text">The text, nothing around it.</param>
    /// <param name="place">The place, or <c>default</c>.</param>
    /// <returns>Whether the text is one.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out PciPlace place)
    {
        place = default;
        int slash = text.IndexOf('/');
        ushort host = 0;
        if (slash >= 0 && !ushort.TryParse(text[..slash], out host))
        {
            return false;
        }

        if (!PciAddress.TryParse(text[(slash + 1)..], out PciAddress address))
        {
            return false;
        }

        place = new PciPlace(new HostId(host), address);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(PciPlace other)
    {
        int byHost = Host.Index.CompareTo(other.Host.Index);
        return byHost != 0 ? byHost : Address.CompareTo(other.Address);
    }

    /// <summary>Whether <paramref name="left"/> comes first.</summary>
    public static bool operator <(PciPlace left, PciPlace right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> comes after.</summary>
    public static bool operator >(PciPlace left, PciPlace right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> comes first or is equal.</summary>
    public static bool operator <=(PciPlace left, PciPlace right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> comes after or is equal.</summary>
    public static bool operator >=(PciPlace left, PciPlace right) => left.CompareTo(right) >= 0;

    /// <summary>The address, led by the host unless that is the first: <c>1/0000:3b:00.1</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Host == HostId.First ? Address.ToString() : $"{Host.Index}/{Address}";
}
