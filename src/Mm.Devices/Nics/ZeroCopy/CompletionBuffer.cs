namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>Room for completions.</summary>
/// <remarks>
/// Owns the completions.
/// <para><b>Linux:</b> the completion ring of an io_uring (v6.15), as far as a receive posts to it.</para>
/// <para><b>Locking:</b> its caller's.</para>
/// </remarks>
public sealed class CompletionBuffer
{
    private readonly Queue<ReceiveCompletion> completions = new();

    /// <summary>Makes room.</summary>
    /// <param name="capacity">For how many.</param>
    public CompletionBuffer(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Capacity = capacity;
    }

    /// <summary>How many it takes.</summary>
    public int Capacity { get; }

    /// <summary>How many wait for the user.</summary>
    public int Count => completions.Count;

    /// <summary>Takes the oldest.</summary>
    /// <param name="completion">The completion.</param>
    /// <returns>Whether there was one.</returns>
    public bool TryTake(out ReceiveCompletion completion) => completions.TryDequeue(out completion);

    internal bool HasRoom => completions.Count < Capacity;

    internal void Add(ReceiveCompletion completion) => completions.Enqueue(completion);
}
