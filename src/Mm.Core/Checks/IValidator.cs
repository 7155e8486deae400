namespace Mm.Core.Checks;

/// <summary>A part of a machine that can recount itself from the bottom.</summary>
/// <remarks>
/// <see cref="Machine.Validate"/> calls every part, in the order in which they were added, on a machine at rest.
/// </remarks>
internal interface IValidator
{
    /// <summary>Recounts what the part owns and compares it with what the part believes.</summary>
    /// <exception cref="MmBugException">They differ; the message says where.</exception>
    void Validate();
}
