using Mm.Conformance.Recordings;

namespace Mm.Conformance.Hmm;

/// <summary>Replays programs of address spaces, devices that mirror them, forks and pins.</summary>
/// <remarks>
/// Every program runs on a machine of its own, as it ran from a fresh process on idle devices.
/// <para><b>Linux:</b> lib/test_hmm.c, mm/gup_test.c and the calls of mm/ (v6.12).</para>
/// </remarks>
internal sealed class HmmInterpreter : RecordingInterpreter
{
    private HmmProgram? program;

    /// <summary>Whether a recording is of this kind.</summary>
    /// <param name="folder">The folder it lies in.</param>
    /// <param name="first">Its first line.</param>
    /// <returns>Whether it is.</returns>
    public static bool Recognizes(string folder, RecordingLine first)
    {
        string[] words = first.Text.Split(' ');
        return words is ["program", _, "private" or "coherent" or "huge" or "pins" or "pins-coherent"];
    }

    /// <inheritdoc/>
    public override void Replay(RecordingLine line, ReplayLog log)
    {
        RecordingWords words = line.Words();
        if (program is null)
        {
            if (words.Take("program") is var start && start != "program")
            {
                throw line.Words().Error("a program must begin here", start, "program");
            }

            _ = words.TakeNumber("a seed");
            program = HmmProgram.Start(words);
            log.CountProgram();
            return;
        }

        if (words.Peek is "end")
        {
            words.Take("end");
            words.End();
            program.Dispose();
            program = null;
            return;
        }

        log.Compare(line, program.Run(words));
    }

    /// <inheritdoc/>
    public override void Finish(RecordingLine last, ReplayLog log)
    {
        if (program is not null)
        {
            throw last.Words().Error("a program has no end", last.Text, "end");
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        program?.Dispose();
        program = null;
        base.Dispose();
    }
}
