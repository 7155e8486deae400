using System.CommandLine;

namespace Mm.Cli.Verbs;

/// <summary><c>mm completion SHELL</c>: prints a script that teaches a shell to complete <c>mm</c>.</summary>
/// <remarks>The scripts ask the tool itself, through System.CommandLine's <c>[suggest]</c> directive, so they never age.</remarks>
internal static class CompletionVerb
{
    private const string Bash = """
        _mm() {
            local IFS=$'\n'
            COMPREPLY=($(mm "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null | grep -F -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _mm mm
        """;

    private const string Zsh = """
        _mm() {
            local completions=("${(@f)$(mm "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            compadd -- "${completions[@]}"
            _files
        }
        compdef _mm mm
        """;

    private const string Fish = """
        complete -c mm -a '(mm "[suggest:"(commandline -C)"]" (commandline -b) 2>/dev/null)'
        """;

    /// <summary>Makes the verb.</summary>
    public static Command Create(CliContext context)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Print a shell's completion script: source <(mm completion bash).")
        {
            shell,
        };
        command.SetAction(parsed =>
        {
            context.Output.WriteLine(parsed.GetRequiredValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                _ => Fish,
            });
            return ExitCode.Ok;
        });
        return command;
    }
}
