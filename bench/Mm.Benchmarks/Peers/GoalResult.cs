using System.Globalization;

namespace Mm.Benchmarks.Peers;

/// <summary>What one goal came to: ratios pair by pair, and the medians on both sides.</summary>
/// <param name="Name">The goal.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Wanted">The largest ratio that is good enough.</param>
/// <param name="Ratio">The median of the ratios.</param>
/// <param name="Lowest">The lowest ratio of all pairs.</param>
/// <param name="Highest">The highest ratio of all pairs.</param>
/// <param name="Mm">Mm's median.</param>
/// <param name="Peer">The peer's median.</param>
/// <param name="MmBest">Mm's least: what other programs on the machine took least from.</param>
/// <param name="PeerBest">The peer's least.</param>
internal sealed record GoalResult(
    string Name,
    string Unit,
    double Wanted,
    double Ratio,
    double Lowest,
    double Highest,
    double Mm,
    double Peer,
    double MmBest,
    double PeerBest)
{
    /// <summary>Whether the goal is reached.</summary>
    public bool IsReached => Ratio <= Wanted;

    /// <summary>Makes the result of interleaved repetitions.</summary>
    /// <param name="goal">The goal.</param>
    /// <param name="mm">Mm's figures.</param>
    /// <param name="peer">The peer's, each taken right after Mm's.</param>
    /// <returns>The result.</returns>
    public static GoalResult Of(Goal goal, IReadOnlyList<double> mm, IReadOnlyList<double> peer)
    {
        double[] ratios = [.. mm.Zip(peer, static (left, right) => left / right)];
        return new GoalResult(
            goal.Name, goal.Unit, goal.Wanted, Median(ratios), ratios.Min(), ratios.Max(), Median(mm), Median(peer),
            mm.Min(), peer.Min());
    }

    /// <summary>The result as <c>G1 order-0 hot pair ratio=0.09 (0.08-0.10) goal=0.15 ok</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Name} ratio={Ratio:0.00} ({Lowest:0.00}-{Highest:0.00}) goal={Wanted:0.00} {(IsReached ? "ok" : "falls short")}"
        + $" [mm {Mm:0.###} {Unit}, peer {Peer:0.###} {Unit}; least {MmBest:0.###} and {PeerBest:0.###}]");

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
