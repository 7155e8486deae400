namespace Mm.Testing.Machines;

/// <summary>The real thing and its model differ; the message lists the program and marks the operation.</summary>
/// <param name="message">What differed, and the program.</param>
/// <param name="cause">What the operation or the invariant threw.</param>
public sealed class MachineFailedException(string message, Exception cause) : Exception(message, cause);
