using Mm.Core.Notifiers;

namespace Mm.Core.Tests.Notifiers;

/// <summary>A listener to everything, for tests: counts its calls and answers what it is told to.</summary>
internal sealed class RecordingNotifier(MmuNotifierOps ops) : IMmuNotifier
{
    public MmuNotifierOps Ops => ops;

    public Errno Answer { get; init; }

    public int Starts { get; private set; }

    public int Ends { get; private set; }

    public int Flushes { get; private set; }

    public int Releases { get; private set; }

    public Errno OnStart(in NotifierRange range)
    {
        Starts++;
        return Answer;
    }

    public void OnEnd(in NotifierRange range) => Ends++;

    public void OnSecondaryTlbFlush(VirtRange range) => Flushes++;

    public void OnRelease() => Releases++;
}
