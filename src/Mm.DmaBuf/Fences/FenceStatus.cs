using Mm.Core;

namespace Mm.DmaBuf.Fences;

/// <summary>How a fence stands: pending, signaled, or signaled with an error.</summary>
/// <remarks>
/// <para><b>Linux:</b> the result of dma_fence_get_status (v6.12).</para>
/// <c>default</c> is <see cref="Pending"/>. Immutable.
/// </remarks>
public readonly record struct FenceStatus
{
    private FenceStatus(bool isSignaled, Errno error)
    {
        IsSignaled = isSignaled;
        Error = error;
    }

    /// <summary>Not signaled.</summary>
    public static FenceStatus Pending => default;

    /// <summary>Signaled without an error.</summary>
    public static FenceStatus Signaled => new(isSignaled: true, Errno.Ok);

    /// <summary>Whether the fence has signaled, with an error or without.</summary>
    public bool IsSignaled { get; }

    /// <summary>Why the work behind the fence failed; <see cref="Errno.Ok"/> when it did not, or is pending.</summary>
    public Errno Error { get; }

    /// <summary>Linux's number: 0 pending, 1 signaled, a negative error.</summary>
    public int Number => !IsSignaled ? 0 : Error.IsOk ? 1 : -Error.Number;

    /// <summary>The status of a fence that signaled with an error.</summary>
    /// <param name="error">The error; <see cref="Errno.Ok"/> gives <see cref="Signaled"/>.</param>
    /// <returns>The status.</returns>
    public static FenceStatus Failed(Errno error) => new(isSignaled: true, error);

    /// <summary><c>pending</c>, <c>signaled</c>, or the error's name.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => !IsSignaled ? "pending" : Error.IsOk ? "signaled" : Error.ToString();
}
