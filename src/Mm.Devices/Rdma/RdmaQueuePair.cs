using Mm.Core;

namespace Mm.Devices.Rdma;

/// <summary>One end of a connection between two NICs: takes work, and does it packet by packet.</summary>
/// <remarks>
/// Owns the work that waits. Memory is named by keys and looked up for each packet, so that memory that was taken away
/// meanwhile ends the work in an error and no byte of it is moved.
/// <para><b>Linux:</b> struct ib_qp of type RC, ib_post_send, ib_post_recv (v6.12). Simplified: no timers, so a receiver that is not
/// ready is an error at once.</para>
/// <para><b>States:</b> reset → ready → error.</para>
/// <para><b>Invariants:</b> (1) work completes in the order in which it was posted, each once; (2) in error, everything is
/// flushed.</para>
/// <para><b>Locking:</b> the wire's lock.</para>
/// </remarks>
public sealed partial class RdmaQueuePair : IDisposable
{
    private readonly Queue<WorkRequest> sends = new(); // this and those below: protected by the wire's lock
    private readonly Queue<WorkRequest> receives = new();
    private readonly int depth;
    private readonly CompletionQueue sendsDone;
    private readonly CompletionQueue receivesDone;
    private RdmaQueuePair? peer;
    private ulong moved; // bytes of the first send

    internal RdmaQueuePair(
        ProtectionDomain domain, uint number, CompletionQueue sendsDone, CompletionQueue receivesDone, int depth)
    {
        Domain = domain;
        Number = number;
        this.sendsDone = sendsDone;
        this.receivesDone = receivesDone;
        this.depth = depth;
    }

    /// <summary>Its protection domain.</summary>
    public ProtectionDomain Domain { get; }

    /// <summary>Its number on its NIC.</summary>
    public uint Number { get; }

    /// <summary>Whether it is connected, or in error.</summary>
    public QueuePairState State { get; private set; }

    /// <summary>How much work waits to be sent.</summary>
    public int WaitingSends
    {
        get
        {
            lock (Nic.Wire.Gate)
            {
                return sends.Count;
            }
        }
    }

    private RdmaNic Nic => Domain.Context.Nic;

    /// <summary>Connects it with another, both ways.</summary>
    /// <param name="other">The other end; may be itself.</param>
    /// <returns>Ok; EINVAL: one of the two is connected or in error, or they are not on one wire.</returns>
    public Errno TryConnect(RdmaQueuePair other)
    {
        ArgumentNullException.ThrowIfNull(other);
        lock (Nic.Wire.Gate)
        {
            bool isFit = State == QueuePairState.Reset && other.State == QueuePairState.Reset && other.Nic.Wire == Nic.Wire;
            if (!isFit)
            {
                return Errno.EINVAL;
            }

            (peer, other.peer) = (other, this);
            (State, other.State) = (QueuePairState.Ready, QueuePairState.Ready);
            return Errno.Ok;
        }
    }

    /// <summary>Posts work: to be sent, or a receive.</summary>
    /// <param name="work">The work.</param>
    /// <returns>Ok; ENOMEM: as much waits as may; EINVAL: nothing to be sent is taken before it is connected, or an atomic is not
    /// of one piece of 8 bytes.</returns>
    public Errno TryPost(WorkRequest work)
    {
        ArgumentNullException.ThrowIfNull(work);
        bool isAtomic = work.Opcode is WorkOpcode.CompareSwap or WorkOpcode.FetchAdd;
        lock (Nic.Wire.Gate)
        {
            bool isReceive = work.Opcode == WorkOpcode.Receive;
            if ((State == QueuePairState.Reset && !isReceive) || (isAtomic && (work.Pieces.Count != 1 || work.Length != 8)))
            {
                return Errno.EINVAL;
            }

            Queue<WorkRequest> queue = isReceive ? receives : sends;
            if (queue.Count >= depth)
            {
                return Errno.ENOMEM;
            }

            queue.Enqueue(work);
            if (State == QueuePairState.Error)
            {
                Flush();
            }
            else if (!isReceive && !Nic.Options.IsStepped)
            {
                while (SendPacket())
                {
                }
            }

            return Errno.Ok;
        }
    }

    /// <summary>Destroys it: work that waits is flushed, and its peer finds nobody. Twice does nothing.</summary>
    public void Dispose()
    {
        lock (Nic.Wire.Gate)
        {
            Fail();
            Domain.Context.Remove(this);
        }
    }

    /// <summary>Number and state.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"queue pair {Number} of {Nic.Name}, {State}";

    /// <summary>Goes into error: everything that waits is flushed.</summary>
    internal void Fail()
    {
        State = QueuePairState.Error;
        Flush();
    }

    private void Flush()
    {
        while (sends.TryDequeue(out WorkRequest? work))
        {
            _ = sendsDone.TryAdd(Completion(work, WorkStatus.Flushed, 0));
        }

        while (receives.TryDequeue(out WorkRequest? work))
        {
            _ = receivesDone.TryAdd(Completion(work, WorkStatus.Flushed, 0));
        }

        moved = 0;
    }

    private WorkCompletion Completion(WorkRequest work, WorkStatus status, ulong bytes) =>
        new(work.Id, status, work.Opcode, new ByteCount(bytes), Number);

    // A completion without room is lost, and that is an error of the queue pair: whether all is well is the answer.
    private bool TryComplete(Queue<WorkRequest> queue, CompletionQueue done, WorkStatus status, ulong bytes)
    {
        WorkRequest work = queue.Dequeue();
        bool isTold = (status == WorkStatus.Success && !work.IsSignaled) || done.TryAdd(Completion(work, status, bytes));
        return status == WorkStatus.Success && isTold;
    }
}
