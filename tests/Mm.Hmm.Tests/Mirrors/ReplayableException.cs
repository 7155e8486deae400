namespace Mm.Hmm.Tests.Mirrors;

/// <summary>A program has failed; the message holds it as a recording.</summary>
internal sealed class ReplayableException(string message, Exception cause) : Exception(message, cause);
