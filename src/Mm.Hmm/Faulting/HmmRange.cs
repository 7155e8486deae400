using Mm.Core;
using Mm.Core.Notifiers;

namespace Mm.Hmm.Faulting;

/// <summary>What a device asks of a range of an address space, and what it learns: a word for each page.</summary>
/// <remarks>
/// Owned and recycled by its caller; the words are only good under the caller's own lock, once
/// <see cref="IntervalNotifier.IsRetryNeeded"/> has said no for <see cref="Sequence"/>.
/// <para><b>Linux:</b> struct hmm_range (v6.12).</para>
/// <para><b>Locking:</b> one caller at a time.</para>
/// </remarks>
/// <param name="notifier">What tells stale words; its interval covers the range.</param>
public sealed class HmmRange(IntervalNotifier notifier)
{
    private HmmPfn[] words = [];

    /// <summary>What tells stale words.</summary>
    public IntervalNotifier Notifier { get; } = notifier;

    /// <summary>The moment from which the words count: <see cref="IntervalNotifier.ReadBegin"/>, taken before the call.</summary>
    public NotifierSequence Sequence { get; set; }

    /// <summary>The pages; whole.</summary>
    public VirtRange Range { get; private set; }

    /// <summary>What is asked of every page.</summary>
    public HmmPfn DefaultFlags { get; set; }

    /// <summary>Which of the flags in the words count as asked.</summary>
    public HmmPfn FlagsMask { get; set; }

    /// <summary>Whose device-private pages are reported as they are. <b>Linux:</b> dev_private_owner.</summary>
    public object? Owner { get; set; }

    /// <summary>One word a page: what is asked before, what is there after.</summary>
    public Span<HmmPfn> Pfns => words.AsSpan(0, (int)(Range.Length.Value >> PageSize.Small.Shift));

    /// <summary>Takes another range; words become none.</summary>
    /// <param name="range">Whole pages, fewer than 2^31.</param>
    /// <exception cref="ArgumentException">It is not whole pages.</exception>
    public void Reset(VirtRange range)
    {
        if (((range.Start.Value | range.Length.Value) & (PageSize.Small.Bytes.Value - 1)) != 0)
        {
            throw new ArgumentException($"range must be whole pages; it is {range}", nameof(range));
        }

        int pages = checked((int)(range.Length.Value >> PageSize.Small.Shift));
        words = words.Length < pages ? new HmmPfn[pages] : words;
        Range = range;
        Pfns.Clear();
    }
}
