using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Conformance.DmaBuf;

/// <summary>One program of a dma-buf recording: a fresh process on a fresh machine, with its timelines, sync files and buffers by slot.</summary>
/// <remarks>
/// A slot that nothing is in is a file number that is not open. Tests replace one answer at a time to see that recordings
/// notice.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal class DmaBufProgram : IDisposable
{
    private static readonly PhysRange Ram = new(PhysAddr.Zero, ByteCount.FromMiB(16));

    private readonly Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), Ram).Build();
    private readonly BufferSystem system;
    private readonly FileTable files;
    private readonly Dictionary<ulong, FenceTimeline> timelines = [];
    private readonly Dictionary<ulong, FileNumber> fences = [];
    private readonly Dictionary<ulong, FileNumber> buffers = [];
    private readonly List<MemoryFile> memory = [];

    public DmaBufProgram()
    {
        system = new BufferSystem(machine);
        files = system.CreateFileTable();
    }

    /// <summary>Opens a timeline; one that is open in the slot stays so, out of reach.</summary>
    public virtual Errno CreateTimeline(ulong slot)
    {
        timelines[slot] = new FenceTimeline(system.Contexts, $"timeline {slot}");
        return Errno.Ok;
    }

    public virtual Errno Advance(ulong slot, uint by) =>
        timelines.TryGetValue(slot, out FenceTimeline? timeline) ? timeline.TryAdvance(by) : Errno.EBADF;

    public virtual Errno CloseTimeline(ulong slot)
    {
        if (!timelines.Remove(slot, out FenceTimeline? timeline))
        {
            return Errno.EBADF;
        }

        timeline.Dispose();
        return Errno.Ok;
    }

    public virtual Errno CreateFence(ulong slot, ulong timeline, uint value)
    {
        if (!timelines.TryGetValue(timeline, out FenceTimeline? from))
        {
            return Errno.EBADF;
        }

        Errno errno = from.TryCreateFence(value, out DmaFence? fence);
        return errno.IsOk ? Install(slot, new SyncFile(fence!)) : errno;
    }

    public virtual Errno Merge(ulong slot, ulong first, ulong second)
    {
        if (Find(first) is not { } one)
        {
            return Errno.EBADF;
        }

        Errno errno = one.TryMerge(Find(second), "merged", flags: 0, out SyncFile? merged);
        return errno.IsOk ? Install(slot, merged!) : errno;
    }

    /// <summary>What a sync file says of itself, asked for its count first and then for each fence.</summary>
    public virtual Errno Describe(ulong slot, out SyncFileInfo whole, out SyncFenceInfo[] each)
    {
        whole = default;
        each = [];
        if (Find(slot) is not { } file)
        {
            return Errno.EBADF;
        }

        Errno errno = file.TryGetInfo([], flags: 0, out whole);
        each = new SyncFenceInfo[whole.FenceCount];
        return errno.IsOk ? file.TryGetInfo(each, flags: 0, out _) : errno;
    }

    public virtual Errno IsReady(ulong slot, out bool isReady)
    {
        SyncFile? file = Find(slot);
        isReady = file?.IsReady ?? false;
        return file is null ? Errno.EBADF : Errno.Ok;
    }

    public virtual Errno CloseFence(ulong slot) =>
        fences.Remove(slot, out FileNumber number) ? files.TryClose(number) : Errno.EBADF;

    public virtual Errno CreateUdmabuf(ulong slot, PageCount filePages, FileSeals seals, ByteCount offset, ByteCount size)
    {
        MemoryFile file = machine.CreateMemoryFile(allowsSealing: true);
        memory.Add(file);
        file.TryResize(filePages.ToBytes()).ThrowIfError();
        file.TryAddSeals(seals).ThrowIfError();
        Errno errno = system.Udmabuf.TryCreate([new UdmabufItem(file, offset, size)], out BufferHandle? handle);
        return errno.IsOk ? Install(slot, handle!) : errno;
    }

    public virtual Errno CreateHeapBuffer(ulong slot, ByteCount size, ulong flags)
    {
        Errno errno = system.Heaps.TryAllocate("system", new HeapRequest(size, HeapFlags: flags), out BufferHandle? handle);
        return errno.IsOk ? Install(slot, handle!) : errno;
    }

    public virtual Errno ImportFence(ulong buffer, ulong fence, SyncAccess access)
    {
        using BufferHandle? handle = FindBuffer(buffer);
        return handle is null ? Errno.EBADF : handle.Buffer.Reservation.TryImportSyncFile(access, Find(fence));
    }

    public virtual Errno ExportFence(ulong slot, ulong buffer, SyncAccess access)
    {
        using BufferHandle? handle = FindBuffer(buffer);
        if (handle is null)
        {
            return Errno.EBADF;
        }

        Errno errno = handle.Buffer.Reservation.TryExportSyncFile(access, out SyncFile? file);
        return errno.IsOk ? Install(slot, file!) : errno;
    }

    public virtual Errno Poll(ulong buffer, out SyncAccess ready)
    {
        using BufferHandle? handle = FindBuffer(buffer);
        ready = handle?.Buffer.Poll(SyncAccess.Read | SyncAccess.Write) ?? SyncAccess.None;
        return handle is null ? Errno.EBADF : Errno.Ok;
    }

    /// <summary>Begins or ends an access. A beginning that would wait says ETIME here: what was recorded did not wait.</summary>
    public virtual Errno Sync(ulong buffer, CpuAccessFlags flags)
    {
        using BufferHandle? handle = FindBuffer(buffer);
        return handle is null ? Errno.EBADF : handle.Buffer.TrySync(flags, timeoutNs: 0);
    }

    public virtual Errno Map(ulong buffer, PageCount first, PageCount count, out ByteCount size)
    {
        size = default;
        using BufferHandle? handle = FindBuffer(buffer);
        if (handle is null)
        {
            return Errno.EBADF;
        }

        Errno errno = handle.Buffer.TryMapPages(first, count, out BufferCpuMap? map);
        map?.Dispose();
        size = handle.Buffer.Size;
        return errno;
    }

    public virtual Errno Seek(ulong buffer, long distance, int whence, out ByteCount at)
    {
        at = default;
        using BufferHandle? handle = FindBuffer(buffer);
        return handle is null ? Errno.EBADF : handle.Buffer.TrySeek(distance, (SeekOrigin)whence, out at);
    }

    public virtual Errno CloseBuffer(ulong slot) =>
        buffers.Remove(slot, out FileNumber number) ? files.TryClose(number) : Errno.EBADF;

    /// <summary>Ends the process and the machine.</summary>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool isDisposing)
    {
        foreach (FenceTimeline timeline in timelines.Values)
        {
            timeline.Dispose();
        }

        files.Dispose();
        memory.ForEach(static file => file.Dispose());
        system.Validate();
        machine.Dispose();
    }

    private SyncFile? Find(ulong slot) =>
        fences.TryGetValue(slot, out FileNumber number) && files.TryGetSyncFile(number, out SyncFile? file) ? file : null;

    private BufferHandle? FindBuffer(ulong slot) =>
        buffers.TryGetValue(slot, out FileNumber number) && files.TryGetBuffer(number, out BufferHandle? handle).IsOk ? handle : null;

    private Errno Install(ulong slot, SyncFile file)
    {
        using (file)
        {
            Errno errno = files.TryInstall(file, out FileNumber number);
            return errno.IsOk ? Put(fences, slot, number) : errno;
        }
    }

    private Errno Install(ulong slot, BufferHandle handle)
    {
        using (handle)
        {
            Errno errno = files.TryInstall(handle, out FileNumber number);
            return errno.IsOk ? Put(buffers, slot, number) : errno;
        }
    }

    // What was in the slot is closed.
    private Errno Put(Dictionary<ulong, FileNumber> slots, ulong slot, FileNumber number)
    {
        if (slots.TryGetValue(slot, out FileNumber before))
        {
            files.TryClose(before).ThrowIfError();
        }

        slots[slot] = number;
        return Errno.Ok;
    }
}
