namespace Mm.Benchmarks;

/// <summary>Options of the verbs, as <c>--name value</c>.</summary>
internal static class CommandLine
{
    /// <summary>The value behind an option.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="option">The option.</param>
    /// <returns>The value; null where it is not given.</returns>
    internal static string? ValueOf(string[] args, string option)
    {
        int at = Array.IndexOf(args, option);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }
}
