using Mm.Conformance.Recordings;

namespace Mm.Conformance;

/// <summary>Replays one recording of one kind against Mm, line by line. A new kind of recording is a new class of this.</summary>
/// <remarks>
/// Owns the model that the recording drives. Not responsible for reading lines, counting or reporting, which
/// <see cref="ReplayLog"/> and the runner do.
/// <para><b>Locking:</b> the caller's; one instance replays one file.</para>
/// </remarks>
internal abstract class RecordingInterpreter : IDisposable
{
    /// <summary>Replays a line and tells the log what came out.</summary>
    public abstract void Replay(RecordingLine line, ReplayLog log);

    /// <summary>Ends the recording: whatever a line opened must be closed by now.</summary>
    public virtual void Finish(RecordingLine last, ReplayLog log)
    {
    }

    /// <summary>Lets the model go.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
