using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using Mm.Core;
using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics.Sockets;

/// <summary>A socket's readable bytes as a pipe: they are read where they landed, and go back to their pool when advanced over.</summary>
/// <remarks>
/// Owns nothing. When it has no byte that was not examined it asks the card for more.
/// <para><b>Linux:</b> none: what a zero-copy read of .NET is.</para>
/// <para><b>Locking:</b> one reader at a time, as of every <see cref="PipeReader"/>; cancelling is safe from any thread.</para>
/// </remarks>
[SuppressMessage(
    "Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A pipe's reader ends by Complete.")]
internal sealed class SocketReader(NicSocket socket) : PipeReader
{
    private ReadOnlySequence<byte> last; // what was given out and not advanced over yet
    private long examined; // of what is left, how much the reader has looked at
    private CancellationTokenSource cancelling = new();
    private bool isCompleted;

    public override bool TryRead(out ReadResult result)
    {
        ObjectDisposedException.ThrowIf(isCompleted, this);
        if (cancelling.IsCancellationRequested)
        {
            result = Cancelled();
            return true;
        }

        return TryGive(out result);
    }

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ReadResult result;
        while (!TryRead(out result))
        {
            Landing landing = socket.Land();
            if (landing is { Bytes.IsZero: true } && landing.End != LandingEnd.FlowEnded)
            {
                ThrowIfStuck(landing.End);
                if (!await TryWaitAsync(cancellationToken).ConfigureAwait(false))
                {
                    return Cancelled();
                }
            }
        }

        return result;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        long done = last.Slice(0, consumed).Length;
        this.examined = last.Slice(0, examined).Length - done;
        last = default;
        socket.Consume(done);
    }

    public override void CancelPendingRead() => cancelling.Cancel();

    public override void Complete(Exception? exception = null)
    {
        isCompleted = true;
        cancelling.Dispose();
    }

    private bool TryGive(out ReadResult result)
    {
        (List<Memory<byte>> parts, bool isBlocked) = socket.CollectReadable();
        long length = parts.Sum(part => (long)part.Length);
        if (length <= examined && isBlocked)
        {
            Errno.EFAULT.ThrowIfError();
        }

        bool isEnded = socket.IsEnded && !isBlocked;
        if (length <= examined && !isEnded)
        {
            result = default;
            return false;
        }

        last = Chain.Of(parts);
        result = new ReadResult(last, isCanceled: false, isCompleted: isEnded);
        return true;
    }

    private ReadResult Cancelled()
    {
        cancelling.Dispose();
        cancelling = new CancellationTokenSource();
        last = Chain.Of(socket.CollectReadable().Parts);
        return new ReadResult(last, isCanceled: true, isCompleted: false);
    }

    private async ValueTask<bool> TryWaitAsync(CancellationToken cancellation)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, cancelling.Token);
        try
        {
            await socket.WaitAsync(both.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    // Waiting would never end: nobody but the reader can give buffers back, or the card is gone.
    private static void ThrowIfStuck(LandingEnd end)
    {
        Errno errno = end switch
        {
            LandingEnd.NoBuffer => Errno.ENOMEM,
            LandingEnd.Fault => Errno.EFAULT,
            LandingEnd.MemoryGone or LandingEnd.DeviceGone => Errno.ENODEV,
            LandingEnd.ConnectionLost => Errno.EIO,
            _ => Errno.Ok,
        };
        errno.ThrowIfError();
    }

    private sealed class Chain : ReadOnlySequenceSegment<byte>
    {
        private Chain(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        internal static ReadOnlySequence<byte> Of(List<Memory<byte>> parts)
        {
            if (parts.Count == 0)
            {
                return ReadOnlySequence<byte>.Empty;
            }

            var first = new Chain(parts[0], 0);
            Chain tail = first;
            foreach (Memory<byte> part in parts.Skip(1))
            {
                var next = new Chain(part, tail.RunningIndex + tail.Memory.Length);
                tail.Next = next;
                tail = next;
            }

            return new ReadOnlySequence<byte>(first, 0, tail, tail.Memory.Length);
        }
    }
}
