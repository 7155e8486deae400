using Mm.Core;
using Mm.Core.Native;
using Mm.Devices.Iommufd;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Vfio;

/// <summary>A PCI function that user space drives: its BARs are mapped and shared, and it does DMA through an I/O address space.</summary>
/// <remarks>
/// Owns the list of what was shared and mapped of it, and takes all of it away whenever the function stops decoding its
/// memory: for a reset, because user space says so, or for good when it is closed. Slices of a BAR need no page descriptors.
/// <para><b>Linux:</b> struct vfio_pci_core_device (drivers/vfio/pci/vfio_pci_core.c, v6.12) with the export of BARs as shared
/// buffers (vfio_pci_dmabuf.c, v6.19) and its wait for importers (2026).</para>
/// <para><b>States:</b> open: decoding ⇄ not decoding; either → removed.</para>
/// <para><b>Invariants:</b> (1) not decoding, no CPU and no importer reaches the BARs; (2) an export is freed once; (3) importers
/// are told of changes only.</para>
/// <para><b>Locking:</b> one lock, plain, for the state and the lists; buffers are told, and waited for, with it held as Linux
/// holds memory_lock, so importers' notices call no device back.</para>
/// </remarks>
public sealed partial class VfioPciDevice : IModelDevice
{
    private readonly Lock memoryLock = new();
    private readonly PciSystem pci;
    private readonly PciDevice device;
    private readonly BarExporter exporter;
    private readonly List<VfioBuffer> buffers = []; // protected by memoryLock
    private readonly List<VfioRegionMap> maps = []; // protected by memoryLock
    private bool isDecoding = true; // protected by memoryLock
    private volatile bool isRemoved; // set with memoryLock held
    private IoAddressSpace? space; // this and the next: protected by memoryLock
    private IoDomain? domain;

    private VfioPciDevice(PciSystem pci, PciDevice device, BufferRegistry registry, ByteCount granule)
    {
        this.pci = pci;
        this.device = device;
        Name = pci.Machine.DeviceName(device.Id);
        exporter = new BarExporter(registry, pci) { Granule = granule, PinsForRevocable = true };
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public DeviceId Id => device.Id;

    /// <inheritdoc/>
    public DeviceState State => isRemoved ? DeviceState.Removed : DeviceState.Working;

    /// <summary>Which function it is.</summary>
    public PciPlace Place => device.Place;

    /// <summary>Whether the function answers at its BARs. <b>Linux:</b> PCI_COMMAND_MEMORY.</summary>
    public bool IsDecoding
    {
        get
        {
            lock (memoryLock)
            {
                return isDecoding;
            }
        }
    }

    /// <summary>The I/O address space that its DMA goes through; null while it is in none.</summary>
    public IoAddressSpace? Space
    {
        get
        {
            lock (memoryLock)
            {
                return space;
            }
        }
    }

    /// <summary>How many buffers of it somebody holds.</summary>
    public int BufferCount
    {
        get
        {
            lock (memoryLock)
            {
                return buffers.Count(static each => each.IsAlive);
            }
        }
    }

    /// <summary>Opens a function for user space.</summary>
    /// <param name="pci">The machine's PCI side.</param>
    /// <param name="place">The function.</param>
    /// <param name="registry">The machine's buffers.</param>
    /// <param name="opened">The device; null when refused. The caller disposes it.</param>
    /// <param name="granule">What slices are multiples of; zero for the page of Linux, 1 for any.</param>
    /// <returns>Ok; ENODEV: no such function; EBUSY: a driver has it.</returns>
    public static Errno TryOpen(
        PciSystem pci, PciPlace place, BufferRegistry registry, out VfioPciDevice? opened, ByteCount granule = default)
    {
        ArgumentNullException.ThrowIfNull(pci);
        ArgumentNullException.ThrowIfNull(registry);
        opened = null;
        if (!pci.Devices.TryFind(place, out PciDevice? device))
        {
            return Errno.ENODEV;
        }

        if (pci.Machine.Dma.TryFind(device.Id, out _))
        {
            return Errno.EBUSY;
        }

        opened = new VfioPciDevice(pci, device, registry, granule.IsZero ? PageSize.Small.Bytes : granule);
        return Errno.Ok;
    }

    /// <summary>Shares slices of a BAR as one buffer, and opens it in a file table.</summary>
    /// <param name="region">Which BAR.</param>
    /// <param name="slices">The slices, in the order of the buffer's bytes.</param>
    /// <param name="flags">Must be zero.</param>
    /// <param name="files">The process's files.</param>
    /// <param name="number">The buffer's number there; default when refused.</param>
    /// <returns>
    /// Ok. EINVAL: no slice, flags, a slice that is empty, no multiple of the granule, or past the region. ENODEV: no BAR, or the
    /// device is gone. EOVERFLOW: the lengths have no sum. ENXIO, EBUSY: as <see cref="BarExporter.TryExport"/>. ENOMEM: no memory. EMFILE: as
    /// many files are open as may be.
    /// </returns>
    /// <remarks><b>Linux:</b> VFIO_DEVICE_FEATURE_DMA_BUF (v6.19).</remarks>
    public Errno TryExport(
        VfioRegion region, ReadOnlySpan<BarRange> slices, uint flags, FileTable files, out FileNumber number)
    {
        ArgumentNullException.ThrowIfNull(files);
        number = default;
        if (slices.IsEmpty || flags != 0)
        {
            return Errno.EINVAL;
        }

        lock (memoryLock)
        {
            if (region > VfioRegion.Bar5 || isRemoved)
            {
                return Errno.ENODEV;
            }

            Errno errno = exporter.TryExport(Place, (int)region, slices, out BarBuffer? made, out BufferHandle? handle, !isDecoding);
            if (!errno.IsOk)
            {
                return errno;
            }

            // From here on the buffer owns the export: closing the handle is all that a refusal has to do.
            using (handle)
            {
                errno = files.TryInstall(handle!, out number);
                if (errno.IsOk)
                {
                    _ = buffers.RemoveAll(static each => !each.IsAlive);
                    buffers.Add(new VfioBuffer(made!, handle!.Buffer));
                }
                else
                {
                    UndoExport(made!);
                }
            }

            return errno;
        }
    }

    /// <summary>Maps a part of a BAR into a process.</summary>
    /// <param name="region">Which BAR.</param>
    /// <param name="offset">Where in it; whole pages.</param>
    /// <param name="length">How many bytes; whole pages.</param>
    /// <param name="isShared">Whether the mapping is shared; a private one is refused.</param>
    /// <param name="map">The mapping; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: no BAR, private, empty, not of whole pages, past the BAR, or the BAR itself does not start a page; ENODEV: the
    /// device is gone.</returns>
    /// <remarks><b>Linux:</b> vfio_pci_core_mmap (v6.12).</remarks>
    public Errno TryMap(VfioRegion region, ByteCount offset, ByteCount length, bool isShared, out VfioRegionMap? map)
    {
        map = null;
        if (isRemoved)
        {
            return Errno.ENODEV;
        }

        ulong mask = PageSize.Small.Bytes.Value - 1;
        bool isPages = ((offset.Value | length.Value) & mask) == 0 && !length.IsZero;
        if (!isShared || !isPages || region > VfioRegion.Bar5 || !device.TryGetWindow((int)region, out BarWindow window)
            || window.Region is not { } bar || (bar.Range.Start.Value & mask) != 0)
        {
            return Errno.EINVAL;
        }

        if (offset > bar.Range.Length || length.Value > bar.Range.Length.Value - offset.Value)
        {
            return Errno.EINVAL;
        }

        lock (memoryLock)
        {
            map = new VfioRegionMap(this, bar.Range.Slice(offset, length));
            maps.Add(map);
            return Errno.Ok;
        }
    }

    /// <summary>Turns the decoding of memory on or off, as a write of the command register does.</summary>
    /// <param name="isOn">Whether the function is to answer at its BARs.</param>
    /// <param name="timeoutNs">How long to wait for importers' work, in nanoseconds of the machine's clock.</param>
    /// <returns>Ok, also where nothing changes; ENODEV: the device is gone; ETIME: an importer's work has not ended. Nobody maps any
    /// more, but who does may still reach the memory: call again.</returns>
    public Errno TrySetDecoding(bool isOn, ulong timeoutNs = ulong.MaxValue)
    {
        lock (memoryLock)
        {
            if (isRemoved)
            {
                return Errno.ENODEV;
            }

            isDecoding = isOn;
            return isOn ? RestoreAll() : RevokeAll(isForGood: false, timeoutNs);
        }
    }

    /// <summary>Puts the device's DMA into an I/O address space: user space's mappings there are what it reaches.</summary>
    /// <param name="wanted">The space; null to leave the present one.</param>
    /// <param name="options">What the IOMMU can do; null for the usual.</param>
    /// <returns>Ok; ENODEV: the device is gone; and what <see cref="IoAddressSpace.TryAddDomain"/> refuses with: then it is in none.</returns>
    /// <remarks><b>Linux:</b> VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT (v6.12).</remarks>
    public Errno TryAttach(IoAddressSpace? wanted, IoDomainOptions? options = null)
    {
        lock (memoryLock)
        {
            if (isRemoved)
            {
                return Errno.ENODEV;
            }

            LeaveSpace();
            Errno errno = Errno.Ok;
            if (wanted is not null)
            {
                errno = wanted.TryAddDomain(options ?? new IoDomainOptions(), out domain);
                space = errno.IsOk ? wanted : null;
            }

            return errno;
        }
    }

    /// <summary>The device reads memory by DMA.</summary>
    /// <param name="address">The I/O address.</param>
    /// <param name="bytes">Where to put the bytes.</param>
    /// <returns>Ok; EFAULT: nothing is mapped there, or not to be read, or the device is in no space or gone.</returns>
    public Errno TryDmaRead(DmaAddr address, Span<byte> bytes)
    {
        lock (memoryLock)
        {
            return domain is null || !domain.TryRead(address, bytes).IsOk ? Errno.EFAULT : Errno.Ok;
        }
    }

    /// <summary>The device writes memory by DMA.</summary>
    /// <param name="address">The I/O address.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>Ok; EFAULT: nothing is mapped there, or not to be written, or the device is in no space or gone.</returns>
    public Errno TryDmaWrite(DmaAddr address, ReadOnlySpan<byte> bytes)
    {
        lock (memoryLock)
        {
            return domain is null || !domain.TryWrite(address, bytes).IsOk ? Errno.EFAULT : Errno.Ok;
        }
    }

    /// <inheritdoc/>
    /// <remarks>A function-level reset: everybody is kept out while it runs, and let in again when the function decodes. Waits
    /// for importers' work without end.</remarks>
    public void Reset()
    {
        lock (memoryLock)
        {
            if (isRemoved)
            {
                return;
            }

            _ = RevokeAll(isForGood: false, ulong.MaxValue); // only a time-out refuses, and there is none
            if (isDecoding)
            {
                _ = RestoreAll(); // refused for those only that were taken away for good
            }
        }
    }

    /// <inheritdoc/>
    public void Remove()
    {
        lock (memoryLock)
        {
            if (isRemoved)
            {
                return;
            }

            isDecoding = false;
            _ = RevokeAll(isForGood: true, ulong.MaxValue); // only a time-out refuses, and there is none
            isRemoved = true;
            LeaveSpace();
            maps.Clear();
            buffers.Clear();
        }

        _ = pci.TryUnbind(Place); // ENODEV where the function itself is gone, and its provider with it
    }

    /// <inheritdoc/>
    public void Dispose() => Remove();

    /// <inheritdoc/>
    public void Report(ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        lock (memoryLock)
        {
            foreach (VfioBuffer each in buffers.Where(static each => each.IsAlive))
            {
                string what = $"buffer {each.Buffer.Number}{(each.Exporter.IsRevoked ? ", revoked" : "")}";
                Add(entries, HoldingKind.Handle, what, each.Buffer.HandleCount);
                Add(entries, HoldingKind.Attachment, what, each.Buffer.AttachmentCount);
                Add(entries, HoldingKind.Pin, what, each.Exporter.PinCount);
            }

            Add(entries, HoldingKind.Mapping, "BAR mapped into a process", maps.Count);
            Add(entries, HoldingKind.Handle, "I/O address space", space is null ? 0 : 1);
        }
    }

    /// <summary>Name and state.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name}, {State}{(IsDecoding ? "" : ", not decoding")}";

    internal void Forget(VfioRegionMap map)
    {
        lock (memoryLock)
        {
            _ = maps.Remove(map);
        }
    }

    /// <summary>Borrows bytes of a BAR for a CPU, if the function decodes them.</summary>
    internal bool TryLease(PhysRange range, out SpanLease lease)
    {
        lease = default;
        lock (memoryLock)
        {
            return isDecoding && pci.Machine.TryLease(range, out lease).IsOk;
        }
    }

    private void Add(ICollection<LedgerEntry> entries, HoldingKind kind, string what, int count)
    {
        if (count > 0)
        {
            entries.Add(new LedgerEntry($"{Name} vfio", kind, what, Id, (ulong)count));
        }
    }

    private Errno RevokeAll(bool isForGood, ulong timeoutNs)
    {
        Errno errno = Errno.Ok;
        foreach (VfioBuffer each in buffers.Where(static each => each.IsAlive))
        {
            Errno one = Revoke(each.Exporter, isForGood, timeoutNs);
            errno = errno.IsOk ? one : errno;
        }

        return errno;
    }

    private Errno RestoreAll()
    {
        Errno errno = Errno.Ok;
        foreach (VfioBuffer each in buffers.Where(static each => each.IsAlive))
        {
            Errno one = each.Exporter.TryRestore();
            errno = errno.IsOk ? one : errno;
        }

        return errno;
    }

    private void LeaveSpace()
    {
        if (domain is not null)
        {
            space!.RemoveDomain(domain);
        }

        (space, domain) = (null, null);
    }
}
