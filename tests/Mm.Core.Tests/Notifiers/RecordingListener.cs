using Mm.Core.Notifiers;

namespace Mm.Core.Tests.Notifiers;

/// <summary>A mirror for tests: notes what it is told, follows the protocol, and refuses on demand.</summary>
internal sealed class RecordingListener : IIntervalListener
{
    public List<NotifierRange> Seen { get; } = [];

    public bool Refuses { get; init; }

    public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
    {
        if (Refuses && !range.CanBlock)
        {
            return false;
        }

        notifier.SetSequence(sequence);
        Seen.Add(range);
        return true;
    }
}
