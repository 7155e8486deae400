using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.P2pDma;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Nvme;

/// <summary>An NVMe drive with its driver: namespaces on real files, queues, and a controller memory buffer that others may use.</summary>
/// <remarks>
/// Owns its queues, its open files, and the pool of its buffer. Data goes from the file straight to where the command says, by
/// the drive's own DMA: RAM, its own buffer, a peer's memory; Mm copies nothing in between.
/// <para><b>Linux:</b> drivers/nvme/host/pci.c with nvme_map_cmb (v6.12). Simplified: queues are made by a call and not by
/// admin commands; interrupts are polled for.</para>
/// <para><b>States:</b> working → removed. A reset ends commands under way, and the queues start anew.</para>
/// <para><b>Invariants:</b> (1) a completion is written only where the host has taken the one before it; (2) removed, nothing is
/// mapped for it.</para>
/// <para><b>Locking:</b> one lock of its own, plain, taken before those of the machine's rooms; no user's code runs with it held.</para>
/// </remarks>
public sealed class NvmeController : IModelDevice
{
    private const ulong MostTransfer = 65_536 * 512; // what 16 bits of the smallest blocks can say

    private readonly List<NvmeQueuePair> queues = []; // protected by Gate
    private readonly List<NvmeNamespace> namespaces = []; // protected by Gate
    private readonly DataPointerReader pointers;
    private readonly PciDevice device;
    private ushort nextQueue = 1; // protected by Gate
    private volatile bool isRemoved; // set with Gate held

    private NvmeController(PciSystem pci, PciDevice device, DmaDevice view, NvmeOptions options, P2pMemPool? buffer)
    {
        Pci = pci;
        this.device = device;
        View = view;
        Options = options;
        Buffer = buffer;
        Name = pci.Machine.DeviceName(device.Id);
        pointers = new DataPointerReader(view.Port, options.MaxDescriptors);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public DeviceId Id => device.Id;

    /// <inheritdoc/>
    public DeviceState State => isRemoved ? DeviceState.Removed : DeviceState.Working;

    /// <summary>Which function it is.</summary>
    public PciPlace Place => device.Place;

    /// <summary>What it can do.</summary>
    public NvmeOptions Options { get; }

    /// <summary>How it reaches memory.</summary>
    public DmaDevice View { get; }

    /// <summary>The pool of its controller memory buffer, published; null where it has none.</summary>
    public P2pMemPool? Buffer { get; }

    internal PciSystem Pci { get; }

    internal Lock Gate { get; } = new();

    /// <summary>Binds the driver to a function.</summary>
    /// <param name="pci">The machine's PCI side.</param>
    /// <param name="place">The function.</param>
    /// <param name="options">What the drive can do.</param>
    /// <param name="drive">The drive; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: no such function; EBUSY: a driver has it; and for the buffer as
    /// <see cref="P2pMemPools.TryAddResource"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The most bytes of a command are no whole pages, or above 32 MiB.</exception>
    public static Errno TryCreate(PciSystem pci, PciPlace place, NvmeOptions options, out NvmeController? drive)
    {
        ArgumentNullException.ThrowIfNull(pci);
        ArgumentNullException.ThrowIfNull(options);
        if (options.MaxTransfer.Value is 0 or > MostTransfer || options.MaxTransfer.Value % PageSize.Small.Bytes.Value != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), options.MaxTransfer, $"MaxTransfer must be whole pages in [1, {new ByteCount(MostTransfer)}]");
        }

        drive = null;
        Errno errno = pci.TryAttach(place, DmaMask.Bits64, default, options.Domain, out DmaDevice? view);
        if (!errno.IsOk)
        {
            return errno;
        }

        P2pMemPool? pool = null;
        errno = options.BufferBar is { } bar ? TryPublish(pci, place, bar, options.BufferSize, out pool) : Errno.Ok;
        if (!errno.IsOk || !pci.Devices.TryFind(place, out PciDevice? device))
        {
            _ = pci.Machine.Dma.TryDetach(view!.Id); // it was attached just now
            return errno.IsOk ? Errno.ENODEV : errno;
        }

        drive = new NvmeController(pci, device, view!, options, pool);
        return Errno.Ok;
    }

    /// <summary>Adds a namespace whose blocks lie in a file.</summary>
    /// <param name="path">The file, which is there and as long as the namespace is to be.</param>
    /// <param name="blockSize">The bytes of a block: a power of two from 512 to 4096.</param>
    /// <param name="added">The namespace; null when refused. The drive disposes it.</param>
    /// <param name="wantsDirect">Whether to go past the page cache where that is possible.</param>
    /// <returns>Ok; ENODEV: the drive is gone; EINVAL: the file has no whole block.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not legal.</exception>
    /// <exception cref="IOException">The system does not open the file.</exception>
    public Errno TryAddNamespace(string path, ByteCount blockSize, out NvmeNamespace? added, bool wantsDirect = true)
    {
        if (blockSize.Value is < 512 or > 4096 || !ulong.IsPow2(blockSize.Value))
        {
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, "blockSize must be a power of two in [512, 4096]");
        }

        added = null;
        DirectFile file = DirectFile.Open(path, wantsDirect);
        lock (Gate)
        {
            if (isRemoved || file.Length < blockSize)
            {
                file.Dispose();
                return isRemoved ? Errno.ENODEV : Errno.EINVAL;
            }

            added = new NvmeNamespace((uint)namespaces.Count + 1, file, blockSize);
            namespaces.Add(added);
            return Errno.Ok;
        }
    }

    /// <summary>Makes a submission and a completion queue.</summary>
    /// <param name="depth">The entries of each, in [2, 4096].</param>
    /// <param name="queue">The queues; null when refused. The caller disposes them.</param>
    /// <param name="isInBuffer">Whether commands are written into the drive's own buffer. <b>Linux:</b> use_cmb_sqs.</param>
    /// <returns>Ok; ENODEV: the drive is gone; EOPNOTSUPP: it has no buffer; ENOMEM: no memory, or the buffer is full; EAGAIN:
    /// 65,535 queues were made.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The depth is not legal.</exception>
    public Errno TryCreateQueuePair(int depth, out NvmeQueuePair? queue, bool isInBuffer = false)
    {
        if (depth is < 2 or > 4096)
        {
            throw new ArgumentOutOfRangeException(nameof(depth), depth, "depth must be in [2, 4096]");
        }

        queue = null;
        lock (Gate)
        {
            if (isRemoved || (isInBuffer && Buffer is null) || nextQueue == ushort.MaxValue)
            {
                return isRemoved ? Errno.ENODEV : isInBuffer && Buffer is null ? Errno.EOPNOTSUPP : Errno.EAGAIN;
            }

            Errno errno = TryTakeQueues(depth, isInBuffer, out NvmeQueueMemory? submissions, out NvmeQueueMemory? completions);
            if (errno.IsOk)
            {
                queue = new NvmeQueuePair(this, nextQueue++, depth, submissions!, completions!);
                queues.Add(queue);
            }

            return errno;
        }
    }

    /// <summary>Runs commands that wait in the queues, one of each queue in turn.</summary>
    /// <param name="most">How many at most.</param>
    /// <returns>How many were run.</returns>
    public int Process(int most = int.MaxValue)
    {
        lock (Gate)
        {
            return ProcessLocked(most);
        }
    }

    /// <inheritdoc/>
    public void Reset()
    {
        lock (Gate)
        {
            if (!isRemoved)
            {
                queues.ForEach(static queue => queue.Restart());
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>What others took of its buffer stays theirs until they give it back, but no longer leads anywhere.</remarks>
    public void Remove()
    {
        lock (Gate)
        {
            if (isRemoved)
            {
                return;
            }

            queues.ForEach(static queue => queue.EndForGood());
            queues.Clear();
            namespaces.ForEach(static each => each.Dispose());
            isRemoved = true;
        }

        _ = Pci.TryUnbind(Place); // ENODEV where the function itself is gone: its provider and its pool went with it
    }

    /// <inheritdoc/>
    public void Dispose() => Remove();

    /// <inheritdoc/>
    public void Report(ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        lock (Gate)
        {
            queues.ForEach(queue => queue.Report(entries));
        }

        if (Buffer is { } pool)
        {
            ulong taken = pool.Size.SubtractChecked(pool.Available).ToPagesRoundUp().Value;
            if (taken > 0)
            {
                entries.Add(new LedgerEntry($"{Name} buffer", HoldingKind.Page, "controller memory buffer", Id, taken));
            }
        }
    }

    /// <summary>Name and state.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name}, {State}";

    internal void Forget(NvmeQueuePair queue) => queues.Remove(queue);

    internal int ProcessLocked(int most)
    {
        int done = 0;
        bool isBusy = true;
        while (isBusy && done < most)
        {
            isBusy = false;
            for (int index = 0; index < queues.Count && done < most; index++)
            {
                if (queues[index].Ring.IsReady)
                {
                    RunNext(queues[index].Ring);
                    isBusy = true;
                    done++;
                }
            }
        }

        return done;
    }

    private static Errno TryPublish(PciSystem pci, PciPlace place, int bar, ByteCount size, out P2pMemPool? pool)
    {
        pool = null;
        Errno errno = pci.Pools.TryAddResource(place, bar, size, ByteCount.Zero, out _);
        if (errno.IsOk && pci.Pools.TryFind(place, out pool))
        {
            pool.IsPublished = true;
        }

        return errno;
    }

    private Errno TryTakeQueues(
        int depth, bool isInBuffer, out NvmeQueueMemory? submissions, out NvmeQueueMemory? completions)
    {
        completions = null;
        var size = new ByteCount((ulong)(depth * NvmeCommand.Size));
        Errno errno = isInBuffer
            ? NvmeQueueMemory.TryTakeBuffer(Pci, View, Buffer!, size, out submissions)
            : NvmeQueueMemory.TryTakeRam(Pci, View, OrderOf(size), out submissions);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = NvmeQueueMemory.TryTakeRam(
            Pci, View, OrderOf(new ByteCount((ulong)(depth * NvmeCompletion.Size))), out completions);
        if (!errno.IsOk)
        {
            submissions!.Dispose();
        }

        return errno;
    }

    private static int OrderOf(ByteCount size)
    {
        int order = 0;
        while (PageCount.OfOrder(order).ToBytes() < size)
        {
            order++;
        }

        return order;
    }

    // Reads a command by DMA, does it, and writes its completion by DMA. A queue that cannot be reached any more is left alone.
    private void RunNext(NvmeRing ring)
    {
        Span<byte> bytes = stackalloc byte[NvmeCommand.Size];
        NvmeQueuePair queue = ring.Queue;
        bool isRead = View.Port.TryRead(SlotOf(queue.Submissions, ring.Head, NvmeCommand.Size), bytes, out _).IsOk;
        ring.Head = (ring.Head + 1) % queue.Depth;
        if (!isRead)
        {
            return;
        }

        NvmeCommand command = NvmeCommand.ReadFrom(bytes);
        NvmeStatus status = Run(command);
        int slot = (int)(ring.CompletionsWritten % (ulong)queue.Depth);
        bool phase = ring.CompletionsWritten / (ulong)queue.Depth % 2 == 0;
        new NvmeCompletion(command.Tag, (ushort)ring.Head, status, phase).WriteTo(bytes);
        _ = View.Port.TryWrite(SlotOf(queue.Completions, slot, NvmeCompletion.Size), bytes[..NvmeCompletion.Size], out _);
        ring.CompletionsWritten++;
    }

    private static DmaAddr SlotOf(NvmeQueueMemory queue, int slot, int size) =>
        queue.Address.AddChecked(new ByteCount((ulong)(slot * size)));

    private NvmeStatus Run(in NvmeCommand command)
    {
        if (command.Namespace == 0 || command.Namespace > (uint)namespaces.Count)
        {
            return NvmeStatus.InvalidNamespace;
        }

        NvmeNamespace target = namespaces[(int)command.Namespace - 1];
        if (command.Opcode == NvmeOpcode.Flush)
        {
            return target.File.TryFlush().IsOk ? NvmeStatus.Success : NvmeStatus.WriteFault;
        }

        if (command.Opcode is not (NvmeOpcode.Read or NvmeOpcode.Write))
        {
            return NvmeStatus.InvalidOpcode;
        }

        ulong blocks = target.Size.Value / target.BlockSize.Value;
        if (command.Block >= blocks || command.Blocks > blocks - command.Block)
        {
            return NvmeStatus.LbaOutOfRange;
        }

        ulong length = command.Blocks * target.BlockSize.Value;
        if ((command.IsSgl && !Options.HasSgl) || length > Options.MaxTransfer.Value)
        {
            return NvmeStatus.InvalidField;
        }

        NvmeStatus status = pointers.Read(command, length);
        return status.IsSuccess ? Move(command, target) : status;
    }

    private NvmeStatus Move(in NvmeCommand command, NvmeNamespace target)
    {
        var offset = new ByteCount(command.Block * target.BlockSize.Value);
        foreach (DataRun run in pointers.Runs)
        {
            NvmeStatus status = run.IsBucket ? Skip(command.Opcode) : Move(command.Opcode, target, offset, run);
            if (!status.IsSuccess)
            {
                return status;
            }

            offset = offset.AddChecked(run.Length);
        }

        return NvmeStatus.Success;
    }

    // A bit bucket takes what is read, and has nothing to be written.
    private static NvmeStatus Skip(NvmeOpcode opcode) =>
        opcode == NvmeOpcode.Read ? NvmeStatus.Success : NvmeStatus.InvalidField;

    private NvmeStatus Move(NvmeOpcode opcode, NvmeNamespace target, ByteCount offset, DataRun run)
    {
        bool isRead = opcode == NvmeOpcode.Read;
        for (ulong done = 0; done < run.Length.Value;)
        {
            var wanted = new ByteCount(Math.Min(run.Length.Value - done, 1UL << 30));
            DmaAddr at = run.Address.AddWrapping(new ByteCount(done));
            IoAccess access = isRead ? IoAccess.Write : IoAccess.Read; // what a read of blocks does to memory is a write
            if (!View.Port.TryLease(at, wanted, access, out SpanLease lease, out _).IsOk)
            {
                return NvmeStatus.DataTransferError;
            }

            using (lease)
            {
                ByteCount place = offset.AddChecked(new ByteCount(done));
                Errno errno = isRead ? target.File.TryRead(place, lease.Bytes) : target.File.TryWrite(place, lease.Bytes);
                if (!errno.IsOk)
                {
                    return isRead ? NvmeStatus.ReadError : NvmeStatus.WriteFault;
                }

                done += lease.Length.Value;
            }
        }

        return NvmeStatus.Success;
    }
}
