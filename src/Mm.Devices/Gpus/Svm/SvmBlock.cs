using Mm.Core;
using Mm.Core.Notifiers;

namespace Mm.Devices.Gpus.Svm;

/// <summary>A block of addresses that is watched as one, and the ranges in it.</summary>
/// <remarks>
/// Owns the subscription.
/// <para><b>Linux:</b> struct drm_gpusvm_notifier (v6.19).</para>
/// <para><b>Invariants:</b> (1) its ranges lie in it and do not overlap.</para>
/// <para><b>Locking:</b> the lock of its <see cref="GpuSvm"/>.</para>
/// </remarks>
internal sealed class SvmBlock(GpuSvm owner, VirtRange bounds) : IIntervalListener
{
    private readonly List<SvmRange> ranges = []; // in no order: a block has few

    internal VirtRange Bounds { get; } = bounds;

    internal IntervalNotifier Notifier { get; set; } = null!; // set before anybody sees the block

    internal IReadOnlyList<SvmRange> Ranges => ranges;

    public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence) =>
        owner.Invalidate(this, notifier, range, sequence);

    internal SvmRange? Find(VirtAddr at) => ranges.Find(range => range.Range.Contains(at));

    internal bool IsFree(VirtRange wanted) => !ranges.Exists(range => range.Range.Overlaps(wanted));

    internal void Add(SvmRange range) => ranges.Add(range);

    internal void Remove(SvmRange range) => _ = ranges.Remove(range);
}
