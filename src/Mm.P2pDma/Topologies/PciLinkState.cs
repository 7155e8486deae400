namespace Mm.P2pDma.Topologies;

/// <summary>Speed and width of a link: what it can do, or what it does now.</summary>
/// <remarks>
/// <para><b>Linux:</b> PCI_EXP_LNKCAP and PCI_EXP_LNKSTA (v6.12).</para>
/// <para><c>default</c> is unknown in both parts. Immutable.</para>
/// </remarks>
/// <param name="Speed">The rate of a lane.</param>
/// <param name="Width">The lanes; 0 is unknown, or a link that is down.</param>
public readonly record struct PciLinkState(PciLinkSpeed Speed, byte Width)
{
    /// <summary>Whether speed and width are both known.</summary>
    public bool IsKnown => Speed.IsKnown && Width != 0;

    /// <summary>Bytes a second in one direction after line encoding, before packet headers; <see langword="null"/> where unknown.</summary>
    /// <remarks>8b/10b up to 5 GT/s, 128b/130b up to 32 GT/s, 242 of 256 bytes of a flit from 64 GT/s on, as hwloc counts.</remarks>
    public LinkBandwidth? Bandwidth
    {
        get
        {
            if (!IsKnown)
            {
                return null;
            }

            decimal bits = Speed.TenthsOfGigatransfers * 100_000_000m * Width;
            decimal efficiency = Speed.TenthsOfGigatransfers switch
            {
                <= 50 => 8m / 10m,
                < 640 => 128m / 130m,
                _ => 242m / 256m,
            };
            return new LinkBandwidth((ulong)(bits * efficiency / 8m));
        }
    }

    /// <summary>The state as <c>16 GT/s x8</c>; unknown parts as <c>?</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{(Speed.IsKnown ? Speed.ToString() : "? GT/s")} x{(Width == 0 ? "?" : Width)}";
}
