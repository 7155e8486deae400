using Mm.Core;

namespace Mm.Devices.Rdma;

/// <summary>Work for a queue pair.</summary>
/// <remarks><b>Linux:</b> struct ib_send_wr, struct ib_rdma_wr, struct ib_atomic_wr, struct ib_recv_wr (v6.12). Immutable.</remarks>
/// <param name="Id">What its completion says again.</param>
/// <param name="Opcode">What it does.</param>
/// <param name="Pieces">The own memory, in order.</param>
public sealed record WorkRequest(ulong Id, WorkOpcode Opcode, params IReadOnlyList<LocalPiece> Pieces)
{
    /// <summary>Where at the peer; not for sends and receives.</summary>
    public VirtAddr RemoteAddress { get; init; }

    /// <summary>The peer's region; not for sends and receives.</summary>
    public RegionKey RemoteKey { get; init; }

    /// <summary>What is expected, or what is added.</summary>
    public ulong CompareOrAdd { get; init; }

    /// <summary>What replaces it.</summary>
    public ulong Swap { get; init; }

    /// <summary>Whether it completes when it succeeds; failures always do.</summary>
    public bool IsSignaled { get; init; } = true;

    /// <summary>The bytes of all pieces.</summary>
    internal ulong Length => Pieces.Aggregate(0UL, static (sum, piece) => sum + piece.Length.Value);
}
