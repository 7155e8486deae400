using System.CommandLine;
using Mm.Conformance;

namespace Mm.Cli.Verbs;

/// <summary><c>mm conform PATH…</c>: replays recordings of a real kernel and reports every difference.</summary>
internal static class ConformVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CliContext context)
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "Recordings: files, .gz files, or folders of them.",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command(
            "conform", "Replay recordings of a real kernel. Exit 0: no difference, 1: some, 2: a recording cannot be read.")
        {
            paths,
        };
        command.SetAction(parsed => Run(context, parsed.GetRequiredValue(paths)));
        return command;
    }

    private static int Run(CliContext context, string[] paths)
    {
        ConformanceReport report = new ConformanceRunner().Run(paths, file => Print(context, file));
        context.Output.WriteLine(report.Total);
        return report.ExitCode;
    }

    private static void Print(CliContext context, FileResult file)
    {
        context.Cancellation.ThrowIfCancellationRequested();
        context.Output.WriteLine(file);
        foreach (Divergence divergence in file.First)
        {
            context.Output.WriteLine($"  {divergence}");
        }

        if (file.Error is { } error)
        {
            context.Error.WriteLine($"mm: {error}");
        }
    }
}
