namespace Mm.Core.Checks;

/// <summary>An invariant of Mm itself is broken: a bug in Mm. Never caught inside Mm.</summary>
/// <param name="message">The expression that failed, with values and the number of the invariant.</param>
public sealed class MmBugException(string message) : Exception(message);
