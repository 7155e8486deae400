using System.Diagnostics.CodeAnalysis;
using Mm.Core;

namespace Mm.DmaBuf.Fences;

/// <summary>A link that makes a timeline of fences which know nothing of each other: it signals when its fence and all before it have.</summary>
/// <remarks>
/// Owns its place; holds its fence and the link before it, and lets go of links that have signaled while it is walked.
/// <para><b>Linux:</b> struct dma_fence_chain (v6.12).</para>
/// <para><b>Invariants:</b> (1) the contained fence is no chain; (2) links of one context have falling sequence numbers from
/// the newest to the oldest; (3) a link that is not signaled is reached from every later one.</para>
/// <para><b>Locking:</b> safe from any thread; the walk changes links by compare-and-swap.</para>
/// </remarks>
public sealed class FenceChain : DmaFence
{
    private readonly ulong previousSeqno;
    private DmaFence? previous;

    /// <summary>Appends a fence.</summary>
    /// <param name="previous">The newest link so far, a plain fence, or null to begin.</param>
    /// <param name="fence">The fence that it contains: no chain.</param>
    /// <param name="seqno">
    /// Its place. Not beyond that of a link before it, it starts a new context, and is raised to the place before it.
    /// </param>
    /// <exception cref="ArgumentException">The contained fence is a chain.</exception>
    public FenceChain(DmaFence? previous, DmaFence fence, ulong seqno)
        : base(Inner(fence).Contexts, ContextAfter(previous, fence, seqno), SeqnoAfter(previous, seqno))
    {
        this.previous = previous;
        Contained = fence;
        previousSeqno = previous is FenceChain link && link.Context == Context ? link.Seqno : 0;
    }

    /// <summary>The fence of this link.</summary>
    public DmaFence Contained { get; }

    /// <summary>The link or fence before it; null at the beginning, or when all before it have signaled and were walked.</summary>
    public DmaFence? Previous => Volatile.Read(ref previous);

    /// <inheritdoc/>
    public override string DriverName => "dma_fence_chain";

    /// <inheritdoc/>
    public override bool HasLongSeqno => true;

    /// <inheritdoc/>
    public override bool IsContainer => true;

    /// <summary>Goes one step back from a link, dropping links that have signaled.</summary>
    /// <param name="fence">A link; anything else is the end.</param>
    /// <returns>The nearest one before it that is pending; null at the end.</returns>
    public static DmaFence? Walk(DmaFence fence)
    {
        if (fence is not FenceChain chain)
        {
            return null;
        }

        DmaFence? before;
        while ((before = chain.Previous) is not null)
        {
            var link = before as FenceChain;
            if (!(link?.Contained ?? before).IsSignaled)
            {
                break;
            }

            fence.Contexts.Points?.Reach("unlink");

            // Lost against another walker: look again at what it left.
            _ = Interlocked.CompareExchange(ref chain.previous, link?.Previous, before);
        }

        return before;
    }

    /// <summary>Finds what must signal for a place of the timeline to be reached.</summary>
    /// <param name="fence">The newest link.</param>
    /// <param name="seqno">The place; 0 asks for the newest.</param>
    /// <param name="found">The oldest pending link at or beyond the place, or what is pending before; null: nothing is.</param>
    /// <returns>EINVAL: the fence is no chain, or the place lies beyond it.</returns>
    public static Errno TryFindSeqno(DmaFence fence, ulong seqno, out DmaFence? found)
    {
        ArgumentNullException.ThrowIfNull(fence);
        found = null;
        if (seqno == 0)
        {
            found = fence;
            return Errno.Ok;
        }

        if (fence is not FenceChain newest || newest.Seqno < seqno)
        {
            return Errno.EINVAL;
        }

        // A link whose predecessor lies before the place is the one: gaps belong to the link after them.
        DmaFence? each = newest;
        while (each is FenceChain link && link.Context == newest.Context && link.previousSeqno >= seqno)
        {
            each = Walk(link);
        }

        found = each;
        return Errno.Ok;
    }

    /// <inheritdoc/>
    protected override bool StartSignaling()
    {
        for (DmaFence? each = this; each is not null; each = Walk(each))
        {
            if (FenceOf(each).TryAddCallback(_ => WaitForNext(), out FenceCallback? _).IsOk)
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    protected override bool HasCompleted()
    {
        for (DmaFence? each = this; each is not null; each = Walk(each))
        {
            if (!FenceOf(each).IsSignaled)
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    protected override void OnDeadline(ulong timeNs)
    {
        for (DmaFence? each = this; each is not null; each = Walk(each))
        {
            FenceOf(each).SetDeadline(timeNs);
        }
    }

    private static DmaFence FenceOf(DmaFence fence) => fence is FenceChain link ? link.Contained : fence;

    private static DmaFence Inner([NotNull] DmaFence? fence)
    {
        ArgumentNullException.ThrowIfNull(fence);
        return fence is FenceChain
            ? throw new ArgumentException($"a chain continues another by its link, not by containing it; got {fence}", nameof(fence))
            : fence;
    }

    private static FenceContext ContextAfter(DmaFence? previous, DmaFence fence, ulong seqno) =>
        previous is FenceChain link && link.Seqno < seqno ? link.Context : fence.Contexts.Next();

    private static ulong SeqnoAfter(DmaFence? previous, ulong seqno) =>
        previous is FenceChain link ? Math.Max(link.Seqno, seqno) : seqno;

    private void WaitForNext()
    {
        if (!StartSignaling())
        {
            // A reader who asked the links may have signaled it first.
            _ = Signal();
        }
    }
}
