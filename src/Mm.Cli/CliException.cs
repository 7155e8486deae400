namespace Mm.Cli;

/// <summary>Ends a verb with a message for the user and exit code 2: a wrong argument or an unreadable input.</summary>
/// <param name="message">What was wrong, what was found, what is allowed.</param>
internal sealed class CliException(string message) : Exception(message);
