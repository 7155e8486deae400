using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Migration;

namespace Mm.Hmm.Mirrors;

/// <summary>A device that mirrors address spaces: memory of its own, a copy engine, and a page table for each process.</summary>
/// <remarks>
/// Owns its memory, alone: its page map describes it, its free list hands it out. The base of a model GPU: a process opens it
/// by <see cref="TryOpen"/> and gets a <see cref="DeviceMirror"/>.
/// <para><b>Linux:</b> struct dmirror_device (lib/test_hmm.c, v6.12), one chunk of memory; nouveau's dmem and svm. Deliberate
/// differences: memory does not grow; the bytes of private memory are the device's own instead of pages of RAM.</para>
/// <para><b>States:</b> live → gone by <see cref="Dispose"/>, once every page is back in system memory.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed partial class MirrorDevice : IPrivatePagemapOps, IDisposable
{
    /// <summary>How many pages the device asks for at once. <b>Linux:</b> the arrays of lib/test_hmm.c.</summary>
    public static readonly PageCount BatchPages = new(64);

    private readonly MirrorPages pages;
    private readonly AddressRegion region;
    private readonly DeviceMemory? ownBytes;
    private readonly CopyJobPool jobs;
    private readonly IDisposable? ownEngine;
    private int isGone; // atomic

    private MirrorDevice(Machine machine, MirrorMemoryKind kind, AddressRegion region, Func<IPageBytes, ICopyEngine>? makeEngine)
    {
        Machine = machine;
        Kind = kind;
        this.region = region;
        _ = region.Range.TryGetFrames(out PfnRange frames);
        pages = new MirrorPages(frames);
        var outside = new CpuPageBytes(machine);
        ownBytes = kind == MirrorMemoryKind.Private
            ? new DeviceMemory(frames, machine.CreateDeviceMemory(region.Range.Length), outside)
            : null;
        Bytes = ownBytes is null ? outside : ownBytes;
        jobs = new CopyJobPool();
        Engine = makeEngine?.Invoke(Bytes) ?? new CpuCopyEngine(Bytes, machine.Faults);
        ownEngine = Engine as IDisposable;
    }

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>What kind of memory it has.</summary>
    public MirrorMemoryKind Kind { get; }

    /// <summary>What copies for it.</summary>
    public ICopyEngine Engine { get; }

    /// <summary>Pages of its memory that are in use.</summary>
    public PageCount UsedPages => new(region.Range.Length.ToPagesRoundDown().Value - (ulong)pages.FreeCount);

    /// <summary>The description of its memory.</summary>
    public Pagemap Memory { get; private set; } = null!; // set by TryCreate before anybody sees the device

    /// <summary>Whether an invalidation also drops the page right behind its range, as the kernel's test device does, whose
    /// loop takes the end of a range for its last page. It costs a fault, and harms nothing.</summary>
    public bool DropsPageBehind { get; set; }

    internal IPageBytes Bytes { get; }

    internal MirrorPages Pages => pages;

    internal CopyJobPool Jobs => jobs;

    /// <summary>Where its migrations come from.</summary>
    internal MigrationPool Migrations { get; } = new();

    /// <summary>What selects its memory in a migration.</summary>
    internal MigrateSelect Select => Kind == MirrorMemoryKind.Private ? MigrateSelect.DevicePrivate : MigrateSelect.DeviceCoherent;

    /// <summary>Makes a device with memory that no CPU can address.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="name">Its name.</param>
    /// <param name="memory">How much; rounded up to 2 MiB, at most 2^31 pages.</param>
    /// <param name="device">The device, which the caller disposes; null when refused.</param>
    /// <param name="makeEngine">Makes its copy engine, which may be disposable and is then the device's; null: the CPU copies.</param>
    /// <param name="node">The node that its memory is on; null: node 0.</param>
    /// <returns>Ok; EINVAL: no memory; ERANGE: no addresses for it; ENOMEM: no memory for its page map.</returns>
    public static Errno TryCreatePrivate(
        Machine machine,
        string name,
        ByteCount memory,
        out MirrorDevice? device,
        Func<IPageBytes, ICopyEngine>? makeEngine = null,
        NodeId? node = null)
    {
        ArgumentNullException.ThrowIfNull(machine);
        device = null;
        Errno errno = machine.TryAddDevicePrivate(name, memory, out AddressRegion? region, node);
        return errno.IsOk ? TryCreate(machine, MirrorMemoryKind.Private, region!, makeEngine, out device) : errno;
    }

    /// <summary>Makes a device with memory that CPUs address coherently.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="name">Its name.</param>
    /// <param name="range">Where its memory lies; multiples of 2 MiB, free.</param>
    /// <param name="device">The device, which the caller disposes; null when refused.</param>
    /// <param name="makeEngine">Makes its copy engine; null: the CPU copies.</param>
    /// <param name="node">The node that its memory is on, one of its own perhaps; null: node 0.</param>
    /// <returns>Ok; EINVAL: not such a range; EBUSY: something lies there; ENOMEM: no memory for its page map.</returns>
    public static Errno TryCreateCoherent(
        Machine machine,
        string name,
        PhysRange range,
        out MirrorDevice? device,
        Func<IPageBytes, ICopyEngine>? makeEngine = null,
        NodeId? node = null)
    {
        ArgumentNullException.ThrowIfNull(machine);
        device = null;
        Errno errno = machine.TryAddDeviceWindow(name, range, out AddressRegion? region, node);
        return errno.IsOk ? TryCreate(machine, MirrorMemoryKind.Coherent, region!, makeEngine, out device) : errno;
    }

    /// <summary>A process opens the device: its whole address space is mirrored from now on.</summary>
    /// <param name="space">The process's memory.</param>
    /// <param name="mirror">The mirror, which the caller disposes; null when refused.</param>
    /// <returns>Ok; EINVAL: the address space has ended.</returns>
    /// <exception cref="ObjectDisposedException">The device is gone.</exception>
    public Errno TryOpen(AddressSpace space, out DeviceMirror? mirror)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref isGone) != 0, this);
        ArgumentNullException.ThrowIfNull(space);
        return DeviceMirror.TryCreate(this, space, out mirror);
    }

    /// <summary>The device goes: its memory is evicted, and its page map dies with the last page.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isGone, 1) != 0)
        {
            return;
        }

        _ = Evict();
        ownEngine?.Dispose();
        Memory.Unmap(onDead: () =>
        {
            ownBytes?.Dispose();
            _ = Machine.TryRemoveRegion(region);
        });
    }

    /// <inheritdoc/>
    void IPagemapOps.OnPageFree(Pagemap map, Pfn page) => pages.Return(page);

    /// <inheritdoc/>
    Errno IPrivatePagemapOps.TryMigrateToRam(Pagemap map, IDevicePageFault fault)
    {
        DeviceMirror? holder = pages.HolderOf(fault.Page);
        return holder is null ? Errno.EFAULT : holder.TryServeFault((DevicePageFault)fault);
    }

    /// <summary>Takes a page of the device's memory, locked and held once.</summary>
    /// <param name="holder">For whom.</param>
    /// <param name="page">The page's reference.</param>
    /// <param name="pageLock">Its lock.</param>
    /// <returns>Whether there was one.</returns>
    internal bool TryTakePage(DeviceMirror holder, out PageRef page, out PageLock pageLock)
    {
        page = default;
        pageLock = default;
        if (Machine.Faults.ShouldFail(FaultPoint.DevicePage) || !pages.TryTake(holder, out Pfn frame))
        {
            return false;
        }

        Errno errno = Memory.TryHandOut(frame, out page, out pageLock);
        if (!errno.IsOk)
        {
            pages.Return(frame);
        }

        return errno.IsOk;
    }

    /// <summary>Takes 2 MiB of the device's memory in one piece, locked and held once.</summary>
    /// <param name="holder">For whom.</param>
    /// <param name="folio">The reference.</param>
    /// <param name="pageLock">The lock.</param>
    /// <returns>Whether there were any.</returns>
    internal bool TryTakeFolio(DeviceMirror holder, out PageRef folio, out PageLock pageLock)
    {
        folio = default;
        pageLock = default;
        if (Machine.Faults.ShouldFail(FaultPoint.DevicePage) || !pages.TryTakeLarge(holder, out Pfn head))
        {
            return false;
        }

        Errno errno = Memory.TryHandOutFolio(head, PageSize.Large.Order, out folio, out pageLock);
        for (ulong part = 0; !errno.IsOk && part < PageSize.Large.Pages.Value; part++)
        {
            pages.Return(new Pfn(head.Value + part));
        }

        return errno.IsOk;
    }

    /// <summary>Has the engine do a list, and waits.</summary>
    /// <param name="job">The list.</param>
    /// <returns>Whether outcomes are known: pages of a list that is empty or refused are not written, and stay where they are.</returns>
    internal bool TryRunJob(CopyJob job)
    {
        if (job.Count == 0 || !Engine.TrySubmit(job).IsOk)
        {
            return false;
        }

        _ = job.Fence.Wait(); // each page says itself whether it was written
        return true;
    }

    private static Errno TryCreate(
        Machine machine, MirrorMemoryKind kind, AddressRegion region, Func<IPageBytes, ICopyEngine>? makeEngine, out MirrorDevice? device)
    {
        device = null;
        var fresh = new MirrorDevice(machine, kind, region, makeEngine);
        var request = new PagemapRequest
        {
            Kind = kind == MirrorMemoryKind.Private ? PagemapKind.DevicePrivate : PagemapKind.DeviceCoherent,
            Ranges = [region.Range],
            Node = region.Node,
            Owner = fresh,
            Ops = fresh,
        };
        Errno errno = machine.Pagemaps.TryAdd(request, out Pagemap? map);
        if (!errno.IsOk)
        {
            fresh.ownBytes?.Dispose();
            fresh.ownEngine?.Dispose();
            _ = machine.TryRemoveRegion(region);
            return errno;
        }

        fresh.Memory = map!;
        device = fresh;
        return Errno.Ok;
    }
}
