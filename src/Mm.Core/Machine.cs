using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Pagemaps;
using Mm.Core.PhysRanges;
using Mm.Core.Policies;
using Mm.Core.Spaces;
using Mm.Core.Tracing;

namespace Mm.Core;

/// <summary>One modelled computer: its memory, its devices, its clock, and everything that the rooms keep about them.</summary>
/// <remarks>
/// Owns every piece of state there is: Mm has none outside a machine, so a thousand of them can live side by side. Not
/// responsible for rules: the rooms have those, and a machine only holds them together.
/// <para><b>Linux:</b> the global variables of mm/ and drivers/ (v6.12), gathered in one object.</para>
/// <para><b>States:</b> live → disposed. Leases of bytes that are open at <see cref="Dispose"/> keep their memory until
/// they end; everything else is over at once.</para>
/// <para><b>Invariants:</b> (1) the same seed and the same calls, from one thread, give the same answers and events;
/// (2) after <see cref="Dispose"/> and the end of the last lease no native memory is left.</para>
/// <para><b>Locking:</b> safe from any thread, except <see cref="Dispose"/> and <see cref="Validate"/>, which want the
/// machine at rest.</para>
/// </remarks>
public sealed class Machine : IDisposable
{
    private readonly DeviceRegistry devices = new();
    private readonly List<IValidator> validators = []; // filled while building, immutable afterwards
    private readonly List<IDisposable> parts = []; // filled while building, immutable afterwards
    private readonly PhysicalBytes bytes;
    private int isDisposed; // atomic

    internal Machine(MachineBuilder builder)
    {
        Seed = builder.Seed;
        Profile = builder.Profile;
        CpuCount = builder.CpuCount;
        AddressMap = builder.TakeAddressMap();
        Memory = new MachineMemory(builder.Backing, builder.HugePages);
        bytes = new PhysicalBytes(AddressMap, Memory);
        Clock = new MachineClock();
        Tracer = new Tracer(Clock);
        Faults = new FaultInjector();
        Dma = new DmaDevices(Faults, TryLease);
        validators.Add(AddressMap);
        Frames = new FrameTable(Memory, builder.FrameLayout.ToSpans());
        parts.Add(Frames);
        Allocator = new PageAllocator(
            Memory, Frames, builder.FrameLayout, Faults, new FrameBytes(AddressMap, Memory));
        parts.Add(Allocator);
        validators.Add(Allocator);
        AddBounceBuffers(builder.BounceLength);
        Pagemaps = new PagemapRegistry(new PagemapParts(Frames, Memory, AddressMap, bytes, Profile, Faults));
        parts.Add(Pagemaps);
        Nodes = new NumaNodes(Allocator, builder.CpuNodes, HasDeviceMemory);
        Spaces = new AddressSpaces(
            new SpaceParts(Frames, Allocator, Memory, bytes, Pagemaps, Faults, Profile, Points: null, Nodes));
        parts.Add(Spaces);
        validators.Add(Spaces);
        RangeOwners = new RangeOwnerLayers(
            new PagemapOwnerSource(Pagemaps, Providers), new RangeOwnerLayers(Providers, AddressMap));
        validators.Add(Pagemaps);
        validators.Add(Providers);
        validators.Add(Dma);
    }

    /// <summary>What every random choice of the machine comes from.</summary>
    public ulong Seed { get; }

    /// <summary>Which Linux it behaves as.</summary>
    public LinuxProfile Profile { get; }

    /// <summary>How many CPUs it has: what topology and drivers go by. Any number of threads may call.</summary>
    public int CpuCount { get; }

    /// <summary>What lies where in physical address space.</summary>
    public AddressMap AddressMap { get; }

    /// <summary>Who answers for peer memory, by physical address.</summary>
    public ProviderMap Providers { get; } = new();

    /// <summary>Who owns which addresses: page maps first, then providers, then the RAM and windows of the address map. What list builders ask.</summary>
    public IRangeOwnerSource RangeOwners { get; }

    /// <summary>Its time.</summary>
    public MachineClock Clock { get; }

    /// <summary>Its tracing.</summary>
    public Tracer Tracer { get; }

    /// <summary>Its devices that do DMA, and their mappings.</summary>
    public DmaDevices Dma { get; }

    /// <summary>Its fault injection.</summary>
    public FaultInjector Faults { get; }

    /// <summary>Its pages: what is known of each frame, and references to them.</summary>
    public FrameTable Frames { get; }

    /// <summary>Who hands out its RAM.</summary>
    public PageAllocator Allocator { get; }

    /// <summary>Its nodes: which have RAM, which have CPUs.</summary>
    public NumaNodes Nodes { get; }

    /// <summary>The page maps of device memory.</summary>
    public PagemapRegistry Pagemaps { get; }

    /// <summary>The address spaces of its processes.</summary>
    public AddressSpaces Spaces { get; }

    /// <summary>Address space held outside the managed heap, touched or not.</summary>
    public ByteCount NativeBytes => Memory.Ledger.Live;

    /// <summary>How many devices were registered.</summary>
    public int DeviceCount => devices.Count;

    /// <summary>How its rooms reserve memory.</summary>
    internal MachineMemory Memory { get; }

    /// <summary>Starts a machine.</summary>
    /// <returns>A builder with one CPU, no memory, seed 0 and the default profile.</returns>
    public static MachineBuilder CreateBuilder() => new();

    /// <summary>Adds a device.</summary>
    /// <param name="name">A name that no other device of the machine has, as <c>0000:41:00.0</c>.</param>
    /// <returns>Its identity, for the machine's whole life.</returns>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    public DeviceId RegisterDevice(string name)
    {
        ThrowIfDisposed();
        return devices.Register(name);
    }

    /// <summary>The name of a device.</summary>
    /// <param name="device">The device.</param>
    /// <returns>The name it was registered under.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The machine has no such device.</exception>
    public string DeviceName(DeviceId device) => devices.NameOf(device);

    /// <summary>Finds a device by its name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="device">The device, or none.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryFindDevice(string name, out DeviceId device) => devices.TryFind(name, out device);

    /// <summary>A stream of random numbers of the machine's seed, for one user.</summary>
    /// <param name="stream">The user's name: the same name gives the same numbers, another name others.</param>
    /// <returns>The stream.</returns>
    public MachineRandom CreateRandom(string stream)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        return MachineRandom.ForStream(Seed, stream);
    }

    /// <summary>Adds a device's window to the live machine, as hotplug does.</summary>
    /// <param name="name">What /proc/iomem would call it.</param>
    /// <param name="range">Its addresses, below 2^52; no alignment is asked.</param>
    /// <param name="window">The window, or null when refused.</param>
    /// <param name="node">The node it is near to.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the range is empty or passes 2^52.
    /// <see cref="Errno.EBUSY"/>: something lies there already.
    /// </returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public Errno TryAddDeviceWindow(string name, PhysRange range, out AddressRegion? window, NodeId? node = null) =>
        TryAddRegion(AddressRegionKind.DeviceWindow, name, range, node, out window);

    /// <summary>Reserves unused addresses to stand for a device's private memory, which no CPU can reach.</summary>
    /// <param name="name">What /proc/iomem would call it.</param>
    /// <param name="length">How many bytes; rounded up to 2 MiB, the granule of page maps.</param>
    /// <param name="region">The region, or null when refused.</param>
    /// <param name="node">The node the device is near to.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the length is zero or passes 2^52.
    /// <see cref="Errno.ERANGE"/>: no unused range is long enough.
    /// </returns>
    /// <remarks><b>Linux:</b> devm_request_free_mem_region (v6.12), which also searches from the top down.</remarks>
    public Errno TryAddDevicePrivate(string name, ByteCount length, out AddressRegion? region, NodeId? node = null)
    {
        region = null;
        if (length.IsZero || length.Value > AddressMap.End.Value)
        {
            return Errno.EINVAL;
        }

        ulong granule = PageSize.Large.Bytes.Value;
        var rounded = new ByteCount((length.Value + granule - 1) & ~(granule - 1));
        while (AddressMap.TryFindUnused(rounded, PageSize.Large.Bytes, out PhysRange range))
        {
            // Another thread may take the range between the search and the add: then search again.
            Errno errno = TryAddRegion(AddressRegionKind.DevicePrivate, name, range, node, out region);
            if (errno != Errno.EBUSY)
            {
                return errno;
            }
        }

        return Errno.ERANGE;
    }

    /// <summary>Takes a device's window or private memory out of the live machine. Leases of its bytes stay good until they end.</summary>
    /// <param name="region">The region.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: it is RAM or a reserved hole, which the machine keeps.
    /// <see cref="Errno.ENOENT"/>: it is not in the map: removed before.
    /// </returns>
    public Errno TryRemoveRegion(AddressRegion region)
    {
        ArgumentNullException.ThrowIfNull(region);
        if (region.Kind is not (AddressRegionKind.DeviceWindow or AddressRegionKind.DevicePrivate))
        {
            return Errno.EINVAL;
        }

        if (!AddressMap.TryTakeOut(region))
        {
            return Errno.ENOENT;
        }

        region.Remove();
        return Errno.Ok;
    }

    /// <summary>Borrows the bytes at physical addresses, as a CPU sees them.</summary>
    /// <param name="range">The addresses; inside one region of RAM or one window, fewer than 2^31.</param>
    /// <param name="lease">The bytes, or none when refused; the caller disposes it.</param>
    /// <returns>
    /// <see cref="Errno.ENXIO"/>: nothing that a CPU can reach lies there, or not all of it in one region.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public Errno TryLease(PhysRange range, out SpanLease lease)
    {
        ThrowIfDisposed();
        return bytes.TryLease(range, out lease);
    }

    /// <summary>Borrows the bytes at physical addresses and what lies around them, for who will want those next.</summary>
    /// <param name="range">The addresses that are wanted; inside one region of RAM or one window, fewer than 2^31.</param>
    /// <param name="lease">The bytes, or none when refused; the caller disposes it.</param>
    /// <param name="around">Their addresses: the wanted ones, and up to 1 GiB of the same region; empty when refused.</param>
    /// <returns>As <see cref="TryLease"/>.</returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public Errno TryLeaseAround(PhysRange range, out SpanLease lease, out PhysRange around)
    {
        ThrowIfDisposed();
        return bytes.TryLeaseAround(range, out lease, out around);
    }

    /// <summary>Borrows the bytes at physical addresses for longer, as memory that .NET's pipes and sockets can use.</summary>
    /// <param name="range">The addresses; inside one region of RAM or one window, fewer than 2^31.</param>
    /// <param name="memory">The bytes, or null when refused; the caller disposes them, when nobody uses them any more.</param>
    /// <returns>
    /// <see cref="Errno.ENXIO"/>: nothing that a CPU can reach lies there, or not all of it in one region.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public Errno TryOpenMemory(PhysRange range, out RegionMemory? memory)
    {
        ThrowIfDisposed();
        return bytes.TryOpenMemory(range, out memory);
    }

    /// <summary>Borrows the bytes at physical addresses that the caller knows to be there.</summary>
    /// <param name="range">The addresses; inside one region of RAM or one window, fewer than 2^31.</param>
    /// <returns>The bytes; the caller disposes the lease.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Nothing that a CPU can reach lies there.</exception>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public SpanLease Lease(PhysRange range)
    {
        Errno errno = TryLease(range, out SpanLease lease);
        return errno.IsOk
            ? lease
            : throw new ArgumentOutOfRangeException(
                nameof(range), range, $"range must lie in one region of RAM or of a device window; {range} does not");
    }

    /// <summary>Makes an empty in-memory file of the machine's RAM.</summary>
    /// <param name="allowsSealing">Whether seals may be added to it.</param>
    /// <returns>The file; the caller disposes it.</returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    /// <remarks><b>Linux:</b> memfd_create, with MFD_ALLOW_SEALING or without (v6.12).</remarks>
    public MemoryFile CreateMemoryFile(bool allowsSealing = false)
    {
        ThrowIfDisposed();
        return new MemoryFile(Allocator, bytes, allowsSealing);
    }

    /// <summary>Puts the bytes at physical addresses into a file of the real system, so that other processes can map them.</summary>
    /// <param name="ranges">The addresses, in the order of the file: whole pages of RAM or of a device window.</param>
    /// <param name="shared">The file; null when refused. The caller disposes it, and nobody writes the bytes while it opens or ends.</param>
    /// <returns>
    /// <see cref="Errno.EOPNOTSUPP"/>: the system is not Linux with pages of 4 KiB, or the machine's backing is not the
    /// operating system's memory.
    /// <see cref="Errno.EINVAL"/>: no range, or one that is empty or not of whole pages.
    /// <see cref="Errno.ENXIO"/>: nothing that a CPU can reach lies there, or not all of it in one region.
    /// <see cref="Errno.ENODEV"/>: the region was removed meanwhile.
    /// <see cref="Errno.EBUSY"/>: a part of it is shared already.
    /// <see cref="Errno.ENOMEM"/>: the system refuses.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public Errno TryShareBytes(ReadOnlySpan<PhysRange> ranges, out SharedBytes? shared)
    {
        ThrowIfDisposed();
        return bytes.TryShare(ranges, out shared);
    }

    /// <summary>Makes bytes that no physical address leads to: the memory behind a device's own engine.</summary>
    /// <param name="length">How many bytes.</param>
    /// <returns>The region; the caller disposes it.</returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public NativeRegion CreateDeviceMemory(ByteCount length)
    {
        ThrowIfDisposed();
        return Memory.Reserve(length);
    }

    /// <summary>Recounts everything from the bottom and compares. Wants the machine at rest.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    /// <exception cref="ObjectDisposedException">The machine is disposed.</exception>
    public void Validate()
    {
        ThrowIfDisposed();
        foreach (IValidator validator in validators)
        {
            validator.Validate();
        }
    }

    /// <summary>Ends the machine and gives its memory back. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }

        // Newest first: a part may use the ones made before it until its own end.
        for (int i = parts.Count - 1; i >= 0; i--)
        {
            parts[i].Dispose();
        }

        foreach (AddressRegion region in AddressMap.Regions)
        {
            region.Remove();
        }
    }

    private void AddBounceBuffers(ByteCount length)
    {
        if (length.IsZero)
        {
            return;
        }

        if (!BounceBuffers.TryCreate(Allocator, length, bytes.TryLease, out BounceBuffers? buffers).IsOk)
        {
            Dispose();
            throw new InvalidOperationException($"RAM below 4 GiB has no room for {length} of bounce buffers");
        }

        parts.Add(buffers!);
        validators.Add(buffers!);
        Dma.AddBounceBuffers(buffers!);
    }

    private Errno TryAddRegion(
        AddressRegionKind kind, string name, PhysRange range, NodeId? node, out AddressRegion? region)
    {
        ThrowIfDisposed();
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        region = null;
        if (!AddressMap.IsLegal(range))
        {
            return Errno.EINVAL;
        }

        var candidate = new AddressRegion(kind, range, node ?? NodeId.None, name);
        if (!AddressMap.TryAdd(candidate, out _))
        {
            return Errno.EBUSY;
        }

        region = candidate;
        return Errno.Ok;
    }

    private bool HasDeviceMemory(NodeId node)
    {
        foreach (AddressRegion region in AddressMap.Regions)
        {
            if (region.Node == node)
            {
                return true;
            }
        }

        return false;
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref isDisposed) != 0, this);
}
