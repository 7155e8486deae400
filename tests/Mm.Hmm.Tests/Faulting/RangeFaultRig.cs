using Mm.Core;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Hmm.Faulting;
using Mm.Hmm.Mirrors;
using Mm.Hmm.Tests.Mirrors;

namespace Mm.Hmm.Tests.Faulting;

/// <summary>A process with two devices, and a subscription of its own to read ranges by.</summary>
internal sealed class RangeFaultRig : IDisposable, IIntervalListener
{
    internal RangeFaultRig(MirrorMemoryKind kind = MirrorMemoryKind.Private)
    {
        Base = new MirrorRig(kind);
        Space.Notifiers.TryInsert(VirtAddr.Zero, new ByteCount(1UL << 47), this, out IntervalNotifier? inserted).ThrowIfError();
        Notifier = inserted!;
    }

    internal MirrorRig Base { get; }

    internal AddressSpace Space => Base.Space;

    internal IntervalNotifier Notifier { get; }

    /// <summary>What was invalidated.</summary>
    internal List<NotifierRange> Heard { get; } = [];

    /// <summary>A question over a range, for pages of the first device's, from this moment on.</summary>
    internal HmmRange Ask(VirtRange range, HmmPfn forAll = default)
    {
        var request = new HmmRange(Notifier) { Owner = Base.Device, DefaultFlags = forAll };
        request.Reset(range);
        request.Sequence = Notifier.ReadBegin();
        return request;
    }

    internal Errno TryFault(HmmRange request) => RangeFault.TryFault(Space, request);

    public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
    {
        notifier.SetSequence(sequence);
        Heard.Add(range);
        return true;
    }

    public void Dispose()
    {
        Notifier.Dispose();
        Base.Dispose();
    }
}
