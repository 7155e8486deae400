using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma;

namespace Mm.Devices.Nvme;

/// <summary>A submission and a completion queue of a drive, as its driver uses them: maps memory, writes commands, reads completions.</summary>
/// <remarks>
/// Owns the queues' memory, in RAM or, for the submission queue, in the drive's own buffer; and what its commands under way
/// have mapped. Memory that a request names is its user's, who keeps it until the request has completed.
/// <para><b>Linux:</b> struct nvme_queue (drivers/nvme/host/pci.c, v6.12).</para>
/// <para><b>States:</b> live → ended, by <see cref="Dispose"/> or because the drive is gone. A reset empties it.</para>
/// <para><b>Invariants:</b> (1) a tag is one command's at a time; (2) a request that is refused leaves nothing mapped and
/// nothing in the queue; (3) a command names memory of one owner.</para>
/// <para><b>Locking:</b> safe from any thread: the drive's lock.</para>
/// </remarks>
public sealed partial class NvmeQueuePair : IDisposable
{
    private readonly NvmeController controller;
    private readonly NvmeTransfer?[] byTag; // protected by the drive's lock
    private int submitTail; // this and those below: protected by the drive's lock
    private int completeHead;
    private bool phase = true;
    private bool isEnded;

    internal NvmeQueuePair(NvmeController controller, ushort id, int depth, NvmeQueueMemory submissions, NvmeQueueMemory completions)
    {
        this.controller = controller;
        Id = id;
        Depth = depth;
        Submissions = submissions;
        Completions = completions;
        byTag = new NvmeTransfer?[depth - 1]; // a full ring keeps one slot empty
        Ring = new NvmeRing(this);
    }

    /// <summary>Its number, from 1; 0 is the admin queue's.</summary>
    public ushort Id { get; }

    /// <summary>The entries of each queue; one fewer commands can be under way.</summary>
    public int Depth { get; }

    /// <summary>Whether commands are written into the drive's own buffer.</summary>
    public bool IsSubmissionInController => Submissions.IsInController;

    /// <summary>How many commands are under way.</summary>
    public int InFlight
    {
        get
        {
            lock (controller.Gate)
            {
                return byTag.Count(static each => each is not null);
            }
        }
    }

    internal NvmeQueueMemory Submissions { get; }

    internal NvmeQueueMemory Completions { get; }

    /// <summary>The controller's side.</summary>
    internal NvmeRing Ring { get; }

    private PciSystem Pci => controller.Pci;

    /// <summary>Starts a read or write of a namespace.</summary>
    /// <param name="opcode">Read or write.</param>
    /// <param name="target">The namespace.</param>
    /// <param name="offset">Where in it; whole blocks.</param>
    /// <param name="list">The memory; whole blocks in each owner's part, and kept until the request has completed.</param>
    /// <param name="request">The request; null when refused.</param>
    /// <returns>
    /// Ok; ENODEV: the drive is gone, or the queue is; EINVAL: no bytes, no whole blocks, memory of several owners where the
    /// driver does not split, or memory that neither pages nor descriptors can name; EAGAIN: the queue is full, or the list is
    /// not valid any more; EREMOTEIO: the drive does not reach a part of the memory; ENOMEM: no memory for lists or mappings;
    /// EIO: the drive's addresses do not reach a part of it.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="opcode"/> is neither read nor write.</exception>
    public Errno TrySubmit(
        NvmeOpcode opcode, NvmeNamespace target, ByteCount offset, PhysRangeList list, out NvmeRequest? request)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(list);
        if (opcode is not (NvmeOpcode.Read or NvmeOpcode.Write))
        {
            throw new ArgumentOutOfRangeException(nameof(opcode), opcode, "opcode must be Read or Write");
        }

        request = null;
        bool isWhole = offset.Value % target.BlockSize.Value == 0 && list.Length.Value % target.BlockSize.Value == 0;
        if (list.IsEmpty || !isWhole || (!controller.Options.SplitsOwners && list.OwnerRuns.Length > 1))
        {
            return Errno.EINVAL;
        }

        lock (controller.Gate)
        {
            Errno errno = TryCut(target, offset, list, out List<NvmeTransfer> transfers);
            for (int index = 0; index < transfers.Count && errno.IsOk; index++)
            {
                errno = TryPrepare(opcode, transfers[index], index == 0 ? null : transfers[0]);
            }

            if (!errno.IsOk)
            {
                transfers.ForEach(static each => each.Dispose());
                return errno;
            }

            request = Write(opcode, target, transfers);
            return Errno.Ok;
        }
    }

    /// <summary>Starts a flush of a namespace.</summary>
    /// <param name="target">The namespace.</param>
    /// <param name="request">The request; null when refused.</param>
    /// <returns>Ok; ENODEV: the drive is gone, or the queue is; EAGAIN: the queue is full.</returns>
    public Errno TryFlush(NvmeNamespace target, out NvmeRequest? request)
    {
        ArgumentNullException.ThrowIfNull(target);
        request = null;
        lock (controller.Gate)
        {
            Errno errno = CheckRoom(1);
            request = errno.IsOk ? Write(NvmeOpcode.Flush, target, [new NvmeTransfer(list: null, default)]) : null;
            return errno;
        }
    }

    /// <summary>Reads or writes, and waits for the end.</summary>
    /// <param name="opcode">Read or write.</param>
    /// <param name="target">The namespace.</param>
    /// <param name="offset">Where in it; whole blocks.</param>
    /// <param name="list">The memory.</param>
    /// <returns>As <see cref="TrySubmit"/>, and what <see cref="NvmeStatus.ToErrno"/> tells of a command that failed.</returns>
    public Errno TryTransfer(NvmeOpcode opcode, NvmeNamespace target, ByteCount offset, PhysRangeList list)
    {
        Errno errno = TrySubmit(opcode, target, offset, list, out NvmeRequest? request);
        if (!errno.IsOk)
        {
            return errno;
        }

        _ = controller.Process();
        _ = Reap();
        return request!.Errno;
    }

    /// <summary>Takes the completions that are there: what their commands had mapped is unmapped.</summary>
    /// <returns>How many commands ended.</returns>
    public int Reap()
    {
        lock (controller.Gate)
        {
            int ended = 0;
            while (!isEnded && TryTakeCompletion(out NvmeCompletion completion))
            {
                End(completion.Tag, completion.Status);
                ended++;
            }

            return ended;
        }
    }

    /// <summary>Ends the queue: commands under way end as given up. Twice does nothing.</summary>
    public void Dispose()
    {
        lock (controller.Gate)
        {
            if (!isEnded)
            {
                controller.Forget(this);
                EndForGood();
            }
        }
    }

    /// <summary>Queue and depth.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"queue {Id} of {Depth}";

    /// <summary>Commands under way end as given up, and the queue starts anew.</summary>
    internal void Restart()
    {
        for (int tag = 0; tag < byTag.Length; tag++)
        {
            if (byTag[tag] is not null)
            {
                End(tag, NvmeStatus.HostAborted);
            }
        }

        (submitTail, completeHead, phase) = (0, 0, true);
        Ring.Restart();
    }

    internal void EndForGood()
    {
        Restart();
        isEnded = true;
        Submissions.Dispose();
        Completions.Dispose();
    }

    internal void Report(ICollection<LedgerEntry> entries)
    {
        string holder = $"{controller.Name} {this}";
        entries.Add(new LedgerEntry(holder, HoldingKind.Handle, "queue pair", controller.Id, 1));
        int mapped = byTag.Count(static each => each?.Mapping is not null);
        if (mapped > 0)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, "memory of commands under way", DeviceId.None, (ulong)mapped));
        }
    }

    private Errno CheckRoom(int commands)
    {
        if (isEnded || controller.State == DeviceState.Removed)
        {
            return Errno.ENODEV;
        }

        return byTag.Count(static each => each is null) < commands ? Errno.EAGAIN : Errno.Ok;
    }

    // One owner and at most the drive's limit in each part; a part of an owner that is no whole blocks has no command.
    private Errno TryCut(NvmeNamespace target, ByteCount offset, PhysRangeList list, out List<NvmeTransfer> transfers)
    {
        transfers = [];
        PhysRangeListBuilder builder = Pci.CreateListBuilder();
        foreach (OwnerRun run in list.OwnerRuns)
        {
            ReadOnlySpan<PhysRange> ranges = list.Ranges.Slice(run.FirstRange, run.RangeCount);
            foreach (PhysRange whole in ranges)
            {
                for (ulong done = 0; done < whole.Length.Value;)
                {
                    ulong room = controller.Options.MaxTransfer.Value - builder.Length.Value;
                    var here = new ByteCount(Math.Min(room, whole.Length.Value - done));
                    Errno errno = builder.TryAppend(whole.Slice(new ByteCount(done), here), run.Owner);
                    if (!errno.IsOk)
                    {
                        return errno;
                    }

                    done += here.Value;
                    if (builder.Length == controller.Options.MaxTransfer)
                    {
                        Close(builder, list, transfers, ref offset);
                    }
                }
            }

            if (builder.Length.Value % target.BlockSize.Value != 0)
            {
                return Errno.EINVAL;
            }

            if (builder.Count > 0)
            {
                Close(builder, list, transfers, ref offset);
            }
        }

        return CheckRoom(transfers.Count);
    }

    private static void Close(
        PhysRangeListBuilder builder, PhysRangeList whole, List<NvmeTransfer> transfers, ref ByteCount offset)
    {
        PhysRangeList part = builder.Build(whole.Validity);
        transfers.Add(new NvmeTransfer(part, offset));
        offset = offset.AddChecked(part.Length);
    }

    private Errno TryPrepare(NvmeOpcode opcode, NvmeTransfer transfer, NvmeTransfer? first)
    {
        DmaDirection direction = opcode == NvmeOpcode.Read ? DmaDirection.FromDevice : DmaDirection.ToDevice;
        Errno errno = controller.View.TryMap(transfer.List!, direction, out DmaMapping? mapping);
        if (!errno.IsOk)
        {
            return errno;
        }

        transfer.Mapping = mapping;
        return TryPoint(transfer, AddressesOf(transfer, first));
    }

    private Errno TryPoint(NvmeTransfer transfer, ReadOnlySpan<DmaSegment> segments)
    {
        NvmeOptions options = controller.Options;
        bool canUsePages = DataPointers.AreWholePages(segments);
        ulong average = transfer.List!.Length.Value / (ulong)segments.Length;
        bool wantsSgl = options.Pointers == DataPointerKind.Sgl
            || (options.Pointers == DataPointerKind.Automatic && (!canUsePages || average >= options.SglThreshold.Value));
        transfer.IsSgl = wantsSgl && options.HasSgl;
        int descriptors = segments.Length + (segments.Length / 255) + 1; // a link for each page of 256 that is full
        if (transfer.IsSgl ? descriptors > options.MaxDescriptors : !canUsePages)
        {
            return Errno.EINVAL;
        }

        DataPointers.TakePage take = (out NvmeQueueMemory? page) =>
        {
            Errno errno = NvmeQueueMemory.TryTakeRam(Pci, controller.View, order: 0, out page);
            if (errno.IsOk)
            {
                transfer.Keep(page!);
            }

            return errno;
        };
        DmaAddr start;
        ulong second;
        Errno errno = transfer.IsSgl
            ? DataPointers.TryWriteDescriptors(segments, take, out start, out second)
            : DataPointers.TryWritePages(segments, take, out start, out second);
        (transfer.First, transfer.Second) = (start, second);
        return errno;
    }

    private NvmeRequest Write(NvmeOpcode opcode, NvmeNamespace target, List<NvmeTransfer> transfers)
    {
        var request = new NvmeRequest(opcode, transfers.Count);
        int tag = 0;
        foreach (NvmeTransfer transfer in transfers)
        {
            while (byTag[tag] is not null)
            {
                tag++;
            }

            transfer.Request = request;
            byTag[tag] = transfer;
            ulong blocks = (transfer.List?.Length.Value ?? 0) / target.BlockSize.Value;
            var command = new NvmeCommand(
                opcode, (ushort)tag, target.Id, transfer.IsSgl, transfer.First, transfer.Second,
                transfer.Offset.Value / target.BlockSize.Value, (uint)blocks);
            using (SpanLease slot = Submissions.Lease((ulong)(submitTail * NvmeCommand.Size), NvmeCommand.Size))
            {
                command.WriteTo(slot.Bytes);
            }

            submitTail = (submitTail + 1) % Depth;
        }

        Ring.Tail = submitTail; // the doorbell
        if (!controller.Options.IsStepped)
        {
            controller.ProcessLocked(int.MaxValue);
        }

        return request;
    }

    private bool TryTakeCompletion(out NvmeCompletion completion)
    {
        using (SpanLease slot = Completions.Lease((ulong)(completeHead * NvmeCompletion.Size), NvmeCompletion.Size))
        {
            completion = NvmeCompletion.ReadFrom(slot.Bytes);
        }

        if (completion.Phase != phase)
        {
            return false;
        }

        completeHead = (completeHead + 1) % Depth;
        phase ^= completeHead == 0;
        Ring.CompletionsTaken++; // the other doorbell
        return true;
    }

    private void End(int tag, NvmeStatus status)
    {
        NvmeTransfer? transfer = byTag[tag];
        Check.That(transfer is not null, $"queue pair invariant 1: tag {tag} ended and is nobody's");
        byTag[tag] = null;
        transfer.Dispose();
        transfer.Request!.EndOne(status);
    }
}
