namespace Mm.Benchmarks.Peers;

/// <summary>One line of the comparison: what Mm does, what the peer does, and which ratio is wanted.</summary>
/// <param name="Name">The goal and the case, as <c>G1 order-0 hot pair</c>.</param>
/// <param name="Peer">The name of the peer's program; empty where <see cref="Other"/> is the other side.</param>
/// <param name="Workload">What the peer is asked for.</param>
/// <param name="Wanted">The largest ratio of Mm's figure to the peer's that is good enough.</param>
/// <param name="Mm">One repetition of Mm's side.</param>
internal sealed record Goal(string Name, string Peer, string Workload, double Wanted, Func<Repetition> Mm)
{
    /// <summary>The other side where it is not a C program: Mm's own other path, or plain arithmetic.</summary>
    public Func<Repetition>? Other { get; init; }

    /// <summary>What is counted: nanoseconds an operation unless set.</summary>
    public string Unit { get; init; } = "ns";

    /// <summary>The <c>MM_VECTORS</c> that Mm's side runs under, in a process of its own; empty: this process.</summary>
    public string Vectors { get; init; } = "";
}
