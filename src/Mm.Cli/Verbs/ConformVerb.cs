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
        int unreadable = report.Files.Count(file => file.Error is not null);
        context.Output.WriteLine(unreadable == 0 ? report.Total : $"{report.Total} unreadable={unreadable}");
        return report.ExitCode;
    }

    private static void Print(CliContext context, FileResult file)
    {
        context.Cancellation.ThrowIfCancellationRequested();
        if (file.Error is { } error)
        {
            // Not "divergences=0": who looks for that must not find it where nothing, or not everything, was replayed.
            context.Output.WriteLine($"{file.File}: unreadable after operations={file.Operations}");
            context.Error.WriteLine($"mm: {error}");
        }
        else
        {
            context.Output.WriteLine(file);
        }

        foreach (Divergence divergence in file.First)
        {
            context.Output.WriteLine($"  {divergence}");
        }
    }
}
