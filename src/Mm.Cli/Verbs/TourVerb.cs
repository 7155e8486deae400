using System.CommandLine;
using Mm.Cli.Tour;

namespace Mm.Cli.Verbs;

/// <summary><c>mm tour [CHAPTER]</c>: the main job, told in chapters; each does real work and checks it.</summary>
internal static class TourVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CliContext context)
    {
        var chapter = new Argument<string?>("CHAPTER")
        {
            Description = "One chapter only; 'mm tour --list' names them.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        chapter.CompletionSources.Add(_ => TourChapters.All.Select(known => known.Name));
        var list = new Option<bool>("--list") { Description = "Name the chapters." };
        var seed = new Option<ulong>("--seed")
        {
            Description = "What the machine's random choices and the bytes that move come from.",
            DefaultValueFactory = _ => 1,
        };
        var command = new Command("tour", "See Mm at work: build a machine, find a path, map, move bytes and check them.")
        {
            chapter,
            list,
            seed,
        };
        command.SetAction(parsed => parsed.GetValue(list)
            ? List(context)
            : Tell(context, parsed.GetValue(chapter), parsed.GetValue(seed)));
        return command;
    }

    private static int List(CliContext context)
    {
        foreach (TourChapter chapter in TourChapters.All)
        {
            context.Output.WriteLine($"{chapter.Name,-12}{chapter.Title}");
        }

        return ExitCode.Ok;
    }

    private static int Tell(CliContext context, string? name, ulong seed)
    {
        TourChapter[] wanted = [.. TourChapters.All.Where(chapter => name is null || chapter.Name == name)];
        if (wanted.Length == 0)
        {
            throw new CliException(
                $"there is no chapter '{name}'; chapters are: {string.Join(' ', TourChapters.All.Select(chapter => chapter.Name))}");
        }

        int failed = 0;
        foreach (TourChapter chapter in wanted)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            using var stage = new TourStage(context, seed);
            stage.Heading(chapter);
            chapter.Tell(stage);
            stage.End();
            failed += stage.FailedChecks;
        }

        context.Output.WriteLine(failed == 0 ? "all checks hold" : $"{failed} checks failed");
        return failed == 0 ? ExitCode.Ok : ExitCode.Found;
    }
}
