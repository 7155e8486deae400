using Mm.Conformance.Recordings;

namespace Mm.Conformance;

/// <summary>Counts what an interpreter replays and keeps the first differences.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
/// <param name="kept">How many differences are kept.</param>
internal sealed class ReplayLog(int kept)
{
    private readonly List<Divergence> first = [];

    public long Programs { get; private set; }

    public long Operations { get; private set; }

    public long Divergences { get; private set; }

    public IReadOnlyList<Divergence> First => first;

    /// <summary>A program begins.</summary>
    public void CountProgram() => Programs++;

    /// <summary>An operation was replayed and gave this.</summary>
    public void Compare(RecordingLine line, string got)
    {
        Operations++;
        if (line.Outcome.SequenceEqual(got))
        {
            return;
        }

        Divergences++;
        if (first.Count < kept)
        {
            first.Add(new Divergence(line.File, line.Number, line.Operation.ToString(), line.Outcome.ToString(), got));
        }
    }
}
