using System.CommandLine;
using Mm.Cli.Verbs;

namespace Mm.Cli;

/// <summary>The tool <c>mm</c>: finds the verb, runs it, and turns every end into an exit code and a line for a person.</summary>
internal static class MmTool
{
    private const string VerboseOption = "--verbose";

    /// <summary>Runs one command line.</summary>
    /// <param name="args">The words after <c>mm</c>.</param>
    /// <param name="context">Streams and Ctrl-C.</param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static int Run(string[] args, CliContext context)
    {
        RootCommand root = CreateRoot(context);
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
            {
                context.Error.WriteLine($"mm: {error.Message}");
            }

            context.Error.WriteLine("mm: try 'mm --help'");
            return ExitCode.Usage;
        }

        return Invoke(parsed, context, args.Contains(VerboseOption, StringComparer.Ordinal));
    }

    private static RootCommand CreateRoot(CliContext context)
    {
        var root = new RootCommand("Linux device memory that runs: what can reach what, by which path, and why not.")
        {
            TourVerb.Create(context),
            TopoVerb.Create(context),
            P2pVerb.Create(context),
            ConformVerb.Create(context),
            CompletionVerb.Create(context),
        };
        root.Add(new Option<bool>(VerboseOption)
        {
            Description = "On an internal error, print the stack trace.",
            Recursive = true,
        });
        return root;
    }

    private static int Invoke(ParseResult parsed, CliContext context, bool verbose)
    {
        try
        {
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = context.Output,
                Error = context.Error,
                EnableDefaultExceptionHandler = false,
            });
        }
        catch (CliException e)
        {
            context.Error.WriteLine($"mm: {e.Message}");
            return ExitCode.Usage;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
#pragma warning disable CA1031 // the last line of defence of a command-line tool: a bug becomes exit code 3, not a dump
        catch (Exception e)
#pragma warning restore CA1031
        {
            context.Error.WriteLine($"mm: internal error: {(verbose ? e.ToString() : e.Message)}");
            if (!verbose)
            {
                context.Error.WriteLine($"mm: this is a bug in mm; {VerboseOption} shows where");
            }

            return ExitCode.Internal;
        }
    }
}
