using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>The verdicts of all pairs of some functions, of one state of the topology.</summary>
/// <remarks>Immutable; four bytes a pair.</remarks>
public sealed class P2pMatrix
{
    private readonly P2pVerdict[] verdicts;

    internal P2pMatrix(IReadOnlyList<PciFunction> functions, P2pVerdict[] verdicts)
    {
        Functions = functions;
        this.verdicts = verdicts;
    }

    /// <summary>The functions, in the order of rows (providers) and columns (clients).</summary>
    public IReadOnlyList<PciFunction> Functions { get; }

    /// <summary>The verdict of a pair, by index into <see cref="Functions"/>.</summary>
    /// <param name="provider">The row.</param>
    /// <param name="client">The column.</param>
    /// <exception cref="ArgumentOutOfRangeException">An index is out of range.</exception>
    public P2pVerdict this[int provider, int client]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(provider);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(provider, Functions.Count);
            ArgumentOutOfRangeException.ThrowIfNegative(client);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(client, Functions.Count);
            return verdicts[(provider * Functions.Count) + client];
        }
    }
}
