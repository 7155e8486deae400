namespace Mm.Devices.Nvme;

/// <summary>A queue pair as the controller keeps it: how far it has read commands, and where it writes the next completion.</summary>
/// <remarks>
/// <para><b>Linux:</b> none: this is the hardware.</para>
/// <para><b>Locking:</b> that of the drive.</para>
/// </remarks>
internal sealed class NvmeRing(NvmeQueuePair queue)
{
    /// <summary>The queue pair.</summary>
    internal NvmeQueuePair Queue => queue;

    /// <summary>What the doorbell said last: up to where commands are written.</summary>
    internal int Tail { get; set; }

    /// <summary>Up to where commands were read.</summary>
    internal int Head { get; set; }

    /// <summary>How many completions were written.</summary>
    internal ulong CompletionsWritten { get; set; }

    /// <summary>How many completions the host has taken.</summary>
    internal ulong CompletionsTaken { get; set; }

    /// <summary>Whether there is a command, and room for its completion.</summary>
    internal bool IsReady => Head != Tail && CompletionsWritten - CompletionsTaken < (ulong)(queue.Depth - 1);

    internal void Restart()
    {
        (Tail, Head, CompletionsWritten, CompletionsTaken) = (0, 0, 0, 0);
        queue.Submissions.Clear();
        queue.Completions.Clear();
    }
}
