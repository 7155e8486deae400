using Mm.Core.PhysRanges;

namespace Mm.P2pDma.Routing;

/// <summary>Whether and how a client reaches a provider, and how far it is: the answer without its reason.</summary>
/// <remarks>
/// Four bytes, so that a matrix of hundreds of devices is small. The reason is told by <see cref="RouteExplanation"/>.
/// Where facts are missing, <see cref="Kind"/> is what holds if what is not known is not there (no redirection, no rule
/// that allows), <see cref="IsCertain"/> is false, and <see cref="CanBe"/> tells what else it could be.
/// <para><b>Linux:</b> the results of calc_map_type_and_dist (drivers/pci/p2pdma.c, v6.12).</para>
/// <para><c>default</c> is no verdict: kind Unknown. Immutable.</para>
/// </remarks>
public readonly record struct P2pVerdict
{
    private const int HopsBits = 12;
    private const uint NoHops = (1u << HopsBits) - 1;
    private const int PossibleShift = 16;
    private const uint LowerBound = 1u << 24;

    // 24: hops are a lower bound | 23-16: possible kinds, one bit each | 15-12: kind | 11-0: hops, all ones for none
    private readonly uint packed;

    internal P2pVerdict(P2pMapKind kind, int hops, uint possible, bool isLowerBound)
    {
        uint hopsBits = hops < 0 ? NoHops : (uint)hops;
        packed = hopsBits
            | ((uint)kind << HopsBits)
            | ((possible | Bit(kind)) << PossibleShift)
            | (isLowerBound ? LowerBound : 0);
    }

    /// <summary>How the client reaches the provider.</summary>
    public P2pMapKind Kind => (P2pMapKind)((packed >> HopsBits) & 0xf);

    /// <summary>
    /// Hops up from the provider and down to the client; between trees, all of both sides. <see langword="null"/>
    /// between two hosts. Told also where <see cref="Kind"/> says that there is no way.
    /// </summary>
    public int? Hops => (packed & NoHops) == NoHops || Kind == P2pMapKind.Unknown ? null : (int)(packed & NoHops);

    /// <summary>Whether <see cref="Hops"/> is exact; not so where the source leaves ports out.</summary>
    public bool AreHopsExact => (packed & LowerBound) == 0;

    /// <summary>Whether every fact that the kernel would ask is known.</summary>
    public bool IsCertain => uint.PopCount((packed >> PossibleShift) & 0xff) == 1;

    /// <summary>Whether the client reaches the provider at all.</summary>
    public bool IsSupported => Kind is P2pMapKind.BusAddress or P2pMapKind.ThroughHostBridge;

    /// <summary>Whether the verdict may turn out as this kind, once missing facts are known.</summary>
    /// <param name="kind">A kind.</param>
    /// <returns>Whether it may.</returns>
    public bool CanBe(P2pMapKind kind) => ((packed >> PossibleShift) & Bit(kind)) != 0;

    /// <summary>The verdict as <c>bus address, 4 hops</c>; with a question mark where uncertain.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        string kind = NameOf(Kind) + (IsCertain ? "" : " (?)");
        return Hops is { } hops ? $"{kind}, {(AreHopsExact ? "" : "at least ")}{hops} hops" : kind;
    }

    internal static uint Bit(P2pMapKind kind) => kind == P2pMapKind.Unknown ? 0 : 1u << (int)kind;

    internal static string NameOf(P2pMapKind kind) => kind switch
    {
        P2pMapKind.BusAddress => "bus address",
        P2pMapKind.ThroughHostBridge => "through host bridge",
        P2pMapKind.NotSupported => "not supported",
        P2pMapKind.NotPeer => "not peer memory",
        _ => "not decided",
    };
}
