namespace Mm.Core;

/// <summary>A refusal that a tool, test or sample chose to treat as an exception: see <see cref="Errno.ThrowIfError"/>.</summary>
/// <param name="errno">The refusal.</param>
public sealed class ErrnoException(Errno errno) : Exception($"the modelled system refused: {errno} ({errno.Number})")
{
    /// <summary>The refusal.</summary>
    public Errno Errno { get; } = errno;
}
