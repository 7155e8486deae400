using Mm.Conformance.Hmm;
using Mm.Conformance.Recordings;

namespace Mm.Conformance.Tests.Hmm;

/// <summary>The programs of the kept recordings, one by one, so that a test can change what they run on.</summary>
internal static class KeptPrograms
{
    public static IReadOnlyList<KeptProgram> All { get; } = [.. KeptRecordings.Of("hmm").Order(StringComparer.Ordinal).SelectMany(Read)];

    /// <summary>Replays a program after a change.</summary>
    /// <param name="program">The program.</param>
    /// <param name="change">Changes the fresh machine.</param>
    /// <returns>On how many lines another outcome came.</returns>
    public static int CountDivergences(KeptProgram program, Action<HmmProgram> change)
    {
        RecordingWords words = new RecordingLine("t.txt", 1, program.Header).Words();
        words.Take("program");
        words.TakeNumber("a seed");
        using HmmProgram running = HmmProgram.Start(words);
        change(running);
        int divergences = program.Lines.Count(line => !line.Outcome.SequenceEqual(running.Run(line.Words())));
        running.Machine.Faults.Clear();
        return divergences;
    }

    private static IEnumerable<KeptProgram> Read(string file)
    {
        using FileStream stream = File.OpenRead(file);
        using var reader = new RecordingReader(file, stream, new RecordingLimits());
        while (reader.TryRead(out RecordingLine header))
        {
            var lines = new List<RecordingLine>();
            while (reader.TryRead(out RecordingLine line) && line.Text != "end")
            {
                lines.Add(line);
            }

            yield return new KeptProgram(header.Text, lines);
        }
    }
}
