using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf;
using Mm.P2pDma;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Gpus;

/// <summary>A model GPU: memory larger than its BAR, buffers that move, a copy engine, doorbells, and processes' memory.</summary>
/// <remarks>
/// Owns its memory, alone: one allocator has every page, whatever it is used for. The BAR has a provider and no page
/// descriptors; page descriptors that no CPU can address stand for the memory, for the pages of processes in it.
/// <para><b>Linux:</b> amdgpu or xe as far as memory goes: TTM, dma-buf, drm_gpusvm and drm_pagemap (v6.12, v6.19). There is
/// no p2pmem pool: the driver stays the one allocator.</para>
/// <para><b>States:</b> working → removed. A reset leaves it working, its memory as it was.</para>
/// <para><b>Invariants:</b> (1) pages taken from the allocator are those of buffers and of processes; (2) removed, nobody has
/// an address of it.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed partial class Gpu : IModelDevice
{
    private readonly Lock gate = new();
    private readonly List<GpuObject> objects = []; // protected by gate
    private readonly PciPlace place;
    private readonly AddressRegion region;
    private readonly GpuParts parts;
    private ulong lastObject; // protected by gate
    private volatile bool isRemoved;

    internal Gpu(
        GpuParts parts, GpuOptions options, PciPlace place, AddressRegion region, DmaDevice dma, GpuDoorbells doorbells, SvmPagemap pagemap)
    {
        this.parts = parts;
        this.pagemap = pagemap;
        this.place = place;
        this.region = region;
        Options = options;
        Dma = dma;
        Doorbells = doorbells;
    }

    /// <inheritdoc/>
    public string Name => parts.Name;

    /// <inheritdoc/>
    public DeviceId Id => parts.Id;

    /// <inheritdoc/>
    public DeviceState State => isRemoved ? DeviceState.Removed : DeviceState.Working;

    /// <summary>What it is like.</summary>
    public GpuOptions Options { get; }

    /// <summary>The one allocator of its memory.</summary>
    public VramPool Memory => parts.Pool;

    /// <summary>The bytes of its memory.</summary>
    public VramBytes Bytes => parts.Bytes;

    /// <summary>Who answers for its BAR.</summary>
    public BarProvider Provider => parts.Provider;

    /// <summary>Its copy engine.</summary>
    public GpuCopier Copier => parts.Copier;

    /// <summary>Its DMA view: how it reaches RAM.</summary>
    public DmaDevice Dma { get; }

    /// <summary>Its doorbells.</summary>
    public GpuDoorbells Doorbells { get; }

    /// <summary>Starts a GPU.</summary>
    /// <param name="pci">The machine's PCI side.</param>
    /// <param name="buffers">The machine's shared buffers.</param>
    /// <param name="place">The function.</param>
    /// <param name="options">What it is like.</param>
    /// <param name="gpu">The GPU; null when refused. The caller disposes it.</param>
    /// <returns>
    /// Ok; ENODEV: no such function; EINVAL: memory that is no multiple of 2 MiB or none, or BARs that it does not have; ENXIO:
    /// a BAR has no window in the machine; EBUSY: another driver has the function; ERANGE: no addresses to stand for the
    /// memory; ENOMEM: no memory for its page descriptors.
    /// </returns>
    public static Errno TryCreate(PciSystem pci, BufferSystem buffers, PciPlace place, GpuOptions options, out Gpu? gpu) =>
        TryCreate(pci, buffers, place, options, points: null, spaces: null, out gpu);

    /// <summary>For tests that run every order of what happens, with address spaces of their own.</summary>
    internal static Errno TryCreate(
        PciSystem pci, BufferSystem buffers, PciPlace place, GpuOptions options, IYieldPoints? points, AddressSpaces? spaces, out Gpu? gpu)
    {
        ArgumentNullException.ThrowIfNull(pci);
        ArgumentNullException.ThrowIfNull(buffers);
        ArgumentNullException.ThrowIfNull(options);
        return new GpuStart(pci, buffers, place, options, points, spaces ?? pci.Machine.Spaces).TryRun(out gpu);
    }

    /// <summary>Makes a buffer that holds zeros.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="made">The buffer; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: no bytes, no place allowed, or none preferred that is allowed; ENOMEM: no room anywhere, though
    /// others were asked to leave; EAGAIN, EIO, ECANCELED: the copy engine took no job, broke it off, or was reset, and did not clear
    /// it; ENODEV: the GPU is gone.</returns>
    /// <remarks><b>Linux:</b> amdgpu_gem_create_ioctl (v6.12).</remarks>
    public Errno TryCreateObject(GpuObjectRequest request, out GpuObject? made)
    {
        ArgumentNullException.ThrowIfNull(request);
        made = null;
        ulong number;
        lock (gate)
        {
            if (isRemoved)
            {
                return Errno.ENODEV;
            }

            number = ++lastObject;
        }

        Errno errno = GpuObject.TryCreate(parts, number, request, Forget, out GpuObject? fresh);
        if (!errno.IsOk)
        {
            return errno;
        }

        bool isLate;
        lock (gate)
        {
            objects.Add(fresh!);
            isLate = isRemoved;
        }

        if (isLate)
        {
            fresh!.Dispose(); // the GPU went while its buffer was made
            return Errno.ENODEV;
        }

        made = fresh;
        return Errno.Ok;
    }

    /// <inheritdoc/>
    public void Reset()
    {
        if (isRemoved)
        {
            return;
        }

        parts.Copier.Restart();
        Doorbells.Revoke(isForGood: false);
        foreach (GpuObject each in CollectObjects())
        {
            each.Renew();
        }

        foreach (GpuSvm each in CollectProcesses())
        {
            each.Forget();
        }
    }

    /// <inheritdoc/>
    public void Remove()
    {
        lock (gate)
        {
            if (isRemoved)
            {
                return;
            }

            isRemoved = true;
        }

        EndProcesses(); // while the engine can still bring their pages home
        Doorbells.Revoke(isForGood: true);
        foreach (GpuObject each in CollectObjects())
        {
            each.Kill();
        }

        parts.Copier.Dispose();
        _ = parts.Pci.TryUnbind(place); // ENODEV where the function went first
        pagemap.Map.Unmap(onDead: () =>
        {
            parts.Bytes.Dispose();
            _ = parts.Machine.TryRemoveRegion(region); // ours, and there until now
        });
    }

    /// <inheritdoc/>
    public void Report(ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        foreach (GpuObject each in CollectObjects())
        {
            each.Report(entries);
        }

        Doorbells.Report(entries);
        ReportProcesses(entries);
    }

    /// <summary>Removes it.</summary>
    public void Dispose() => Remove();

    /// <summary>Recounts whose each page of its memory is. Wants the machine at rest.</summary>
    /// <exception cref="MmBugException">A page is nobody's, or two's.</exception>
    public void Validate()
    {
        parts.Pool.Validate();
        Doorbells.Validate();
        SvmMemory[] memories = pagemap.Collect();
        GpuObject[] inVram = [.. CollectObjects().Where(static each => each.Place != GpuPlaces.Ram)];
        ulong pages = 0;
        foreach (SvmMemory memory in memories)
        {
            pages += (ulong)memory.Frames.Length;
        }

        foreach (GpuObject each in inVram)
        {
            pages += each.Size.ToPagesRoundDown().Value;
        }

        PageCount used = parts.Pool.UsedPages;
        Check.That(pages == used.Value, $"invariant 1: {used} are taken, and {pages} are somebody's");
        int tenants = parts.Pool.TenantCount;
        int holders = memories.Length + inVram.Length;
        Check.That(tenants == holders, $"{tenants} tenants are known, {holders} have pages");
        Check.That(parts.Copier.RentedJobs == 0, "no copy job is out");
    }

    /// <summary>Name and memory.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Name}: {Options.Memory} of memory, {Memory.VisiblePages.ToBytes()} behind BAR {Options.MemoryBar}"
        + (isRemoved ? ", removed" : "");

    private void Forget(GpuObject gone)
    {
        lock (gate)
        {
            _ = objects.Remove(gone);
        }
    }

    private GpuObject[] CollectObjects()
    {
        lock (gate)
        {
            return [.. objects];
        }
    }
}
