namespace Mm.Cli;

/// <summary>What the tool answers to its caller: the convention of grep and diff.</summary>
internal static class ExitCode
{
    /// <summary>Ran, and found nothing to complain of.</summary>
    public const int Ok = 0;

    /// <summary>Ran, and found a difference, a violation or a pair that cannot reach each other.</summary>
    public const int Found = 1;

    /// <summary>The command line is wrong or an input cannot be read.</summary>
    public const int Usage = 2;

    /// <summary>A bug in Mm.</summary>
    public const int Internal = 3;

    /// <summary>Ended by Ctrl-C: 128 + SIGINT.</summary>
    public const int Interrupted = 130;
}
