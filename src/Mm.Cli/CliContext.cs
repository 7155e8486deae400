using Spectre.Console;

namespace Mm.Cli;

/// <summary>Everything a verb may touch of the world: standard streams, the terminal, and Ctrl-C.</summary>
/// <remarks>
/// Verbs write results to <see cref="Output"/> and everything else to <see cref="Error"/>, so that a pipe carries
/// results alone. Tests hand in their own streams.
/// </remarks>
internal sealed class CliContext : IDisposable
{
    private readonly CancellationTokenSource cancellation = new();
    private readonly bool ownsConsole;

    private CliContext(TextWriter output, TextWriter error, Stream input, bool hasTerminalError, bool ownsConsole)
    {
        Output = output;
        Error = error;
        Input = input;
        HasTerminalError = hasTerminalError;
        this.ownsConsole = ownsConsole;
        if (ownsConsole)
        {
            Console.CancelKeyPress += OnCancelKeyPress;
        }
    }

    /// <summary>Results go here.</summary>
    public TextWriter Output { get; }

    /// <summary>Progress, warnings and errors go here.</summary>
    public TextWriter Error { get; }

    /// <summary>What <c>-</c> reads.</summary>
    public Stream Input { get; }

    /// <summary>Whether a person watches <see cref="Error"/>; progress is shown only then.</summary>
    public bool HasTerminalError { get; }

    /// <summary>Set by Ctrl-C.</summary>
    public CancellationToken Cancellation => cancellation.Token;

    /// <summary>The streams of this process.</summary>
    public static CliContext OfProcess() =>
        new(Console.Out, Console.Error, Console.OpenStandardInput(), !Console.IsErrorRedirected, ownsConsole: true);

    /// <summary>Streams of a test.</summary>
    public static CliContext Of(TextWriter output, TextWriter error, Stream? input = null) =>
        new(output, error, input ?? Stream.Null, hasTerminalError: false, ownsConsole: false);

    /// <summary>A console for tables and colours over <see cref="Output"/>; it honours NO_COLOR and pipes by itself.</summary>
    public IAnsiConsole CreateConsole()
    {
        bool isPipe = !ownsConsole || Console.IsOutputRedirected;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Output),
            Interactive = InteractionSupport.No,
            Ansi = isPipe ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = isPipe ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });

        if (isPipe)
        {
            // A pipe has no width of its own: wide tables must not be folded differently from run to run.
            console.Profile.Width = 160;
        }

        return console;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ownsConsole)
        {
            Console.CancelKeyPress -= OnCancelKeyPress;
        }

        cancellation.Dispose();
    }

    private void OnCancelKeyPress(object? sender, ConsoleCancelEventArgs e)
    {
        e.Cancel = true; // end in order, with exit code 130, instead of being torn down
        cancellation.Cancel();
    }
}
