using Mm.Core;

namespace Mm.DmaBuf.Fences;

/// <summary>A fence that signals when all of its members have, or when any has.</summary>
/// <remarks>
/// Owns the list of members, which does not change.
/// <para><b>Linux:</b> struct dma_fence_array (v6.12): an array that nobody waited for is found complete by asking its
/// members, and has no error then, whatever became of them.</para>
/// <para><b>Invariants:</b> (1) no member is a container; (2) its error is that of the member that failed first since
/// somebody waits.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class FenceArray : DmaFence
{
    private readonly DmaFence[] members;
    private DmaFence? firstFailed; // atomic: null → a member, once
    private int pending; // atomic

    /// <summary>Makes an array.</summary>
    /// <param name="members">The members: one at least, none of them an array or a chain.</param>
    /// <param name="context">Its timeline.</param>
    /// <param name="seqno">Its place on it.</param>
    /// <param name="signalsOnAny">Whether one member suffices.</param>
    /// <exception cref="ArgumentException">There is no member, or one is a container: flatten it.</exception>
    public FenceArray(ReadOnlySpan<DmaFence> members, FenceContext context, ulong seqno, bool signalsOnAny)
        : base(FirstOf(members).Contexts, context, seqno)
    {
        foreach (DmaFence member in members)
        {
            ArgumentNullException.ThrowIfNull(member);
            if (member.IsContainer)
            {
                throw new ArgumentException($"an array holds no containers; got {member}", nameof(members));
            }
        }

        this.members = members.ToArray();
        pending = signalsOnAny ? 1 : members.Length;
        SignalsOnAny = signalsOnAny;
    }

    /// <summary>The members, in the order in which they were given.</summary>
    public IReadOnlyList<DmaFence> Members => members;

    /// <summary>Whether one member suffices.</summary>
    public bool SignalsOnAny { get; }

    /// <inheritdoc/>
    public override string DriverName => "dma_fence_array";

    /// <inheritdoc/>
    public override bool IsContainer => true;

    private protected override Errno CompletionError
    {
        get
        {
            DmaFence? failed = Volatile.Read(ref firstFailed);
            return failed is null ? Errno.Ok : failed.GetStatus().Error;
        }
    }

    /// <inheritdoc/>
    protected override bool StartSignaling()
    {
        foreach (DmaFence member in members)
        {
            if (member.TryAddCallback(Ends, out _).IsOk)
            {
                continue;
            }

            NoteFailure(member);
            if (Interlocked.Decrement(ref pending) == 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    protected override bool HasCompleted()
    {
        // Read before the question whether it is counted: the count goes down once that is so.
        int left = Volatile.Read(ref pending);
        if (IsSignalingEnabled)
        {
            return left <= 0;
        }

        foreach (DmaFence member in members)
        {
            left -= member.IsSignaled ? 1 : 0;
            if (left == 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    protected override void OnDeadline(ulong timeNs)
    {
        foreach (DmaFence member in members)
        {
            member.SetDeadline(timeNs);
        }
    }

    private static DmaFence FirstOf(ReadOnlySpan<DmaFence> members) =>
        members.IsEmpty ? throw new ArgumentException("an array has one member at least", nameof(members)) : members[0];

    private void Ends(DmaFence member)
    {
        NoteFailure(member);
        if (Interlocked.Decrement(ref pending) == 0)
        {
            // A reader who asked the members may have signaled it first.
            _ = Signal(CompletionError);
        }
    }

    private void NoteFailure(DmaFence member)
    {
        if (!member.GetStatus().Error.IsOk)
        {
            _ = Interlocked.CompareExchange(ref firstFailed, member, null); // the first one stays
        }
    }
}
