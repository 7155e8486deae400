using Mm.Core.Frames;
using Mm.Core.Native;

namespace Mm.Core;

/// <summary>Collects what a <see cref="Machine"/> is made of, and makes it.</summary>
/// <remarks>
/// Every mistake is reported by the call that makes it, with the value and the legal ones. Nothing is reserved before
/// <see cref="Build"/>, and little by it: memory is reserved when it is first used.
/// <para><b>States:</b> collecting → built; a builder builds once.</para>
/// <para><b>Locking:</b> the caller's: one thread.</para>
/// </remarks>
public sealed class MachineBuilder
{
    /// <summary>The most CPUs: Linux's NR_CPUS of a large distribution kernel.</summary>
    public const int MaxCpuCount = 8192;

    private AddressMap? addressMap = new();

    internal MachineBuilder()
    {
    }

    /// <summary>What random choices will come from.</summary>
    internal ulong Seed { get; private set; }

    /// <summary>Which Linux.</summary>
    internal LinuxProfile Profile { get; private set; } = LinuxProfile.V612;

    /// <summary>How RAM will be cut into zones.</summary>
    internal FrameLayout FrameLayout { get; } = new();

    /// <summary>Which nodes have CPUs; empty: those with RAM.</summary>
    internal NodeSet CpuNodes { get; private set; }

    /// <summary>How many CPUs.</summary>
    internal int CpuCount { get; private set; } = 1;

    /// <summary>Where native memory will come from.</summary>
    internal NativeBacking Backing { get; private set; }

    /// <summary>How much low RAM is set aside for bounce buffers; zero for none.</summary>
    internal ByteCount BounceLength { get; private set; }

    /// <summary>Whether to ask for huge pages.</summary>
    internal bool HugePages { get; private set; }

    /// <summary>Sets the seed; 0 unless set.</summary>
    /// <param name="seed">Any value.</param>
    /// <returns>This builder.</returns>
    public MachineBuilder WithSeed(ulong seed)
    {
        Seed = seed;
        return this;
    }

    /// <summary>Sets which Linux the machine behaves as; 6.12 unless set.</summary>
    /// <param name="profile">The profile.</param>
    /// <returns>This builder.</returns>
    public MachineBuilder WithProfile(LinuxProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        Profile = profile;
        return this;
    }

    /// <summary>Sets how many CPUs there are; one unless set.</summary>
    /// <param name="count">The CPUs.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is not in [1, 8192].</exception>
    public MachineBuilder WithCpuCount(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCpuCount);
        CpuCount = count;
        return this;
    }

    /// <summary>Sets which nodes have CPUs: the lowest is where processes run unless they say otherwise. Every node with RAM has some unless set.</summary>
    /// <param name="nodes">The nodes, with RAM or without.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">No node is named, or one is <see cref="NodeId.None"/>.</exception>
    /// <remarks><b>Linux:</b> N_CPU (v6.12): memory of a node that is not among them is far from every CPU.</remarks>
    public MachineBuilder WithCpusOn(params ReadOnlySpan<NodeId> nodes)
    {
        if (nodes.IsEmpty)
        {
            throw new ArgumentException("nodes must name one at least; a machine has a CPU", nameof(nodes));
        }

        CpuNodes = new NodeSet(nodes);
        return this;
    }

    /// <summary>Sets where the process takes memory from; the operating system unless set.</summary>
    /// <param name="backing">The backing.</param>
    /// <returns>This builder.</returns>
    public MachineBuilder WithBacking(NativeBacking backing)
    {
        Backing = backing;
        return this;
    }

    /// <summary>Asks the operating system for huge pages behind the machine's bytes: faster copies, 2 MiB for the first byte touched.</summary>
    /// <returns>This builder.</returns>
    public MachineBuilder WithHugePages()
    {
        HugePages = true;
        return this;
    }

    /// <summary>Sets low RAM aside through which devices reach RAM that their masks do not reach; without it, they cannot.</summary>
    /// <param name="length">How much; rounded up to 256 KiB, not zero.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The length is zero.</exception>
    /// <remarks><b>Linux:</b> swiotlb_init, the boot parameter swiotlb= (v6.12), where it is there unless switched off.</remarks>
    public MachineBuilder WithBounceBuffers(ByteCount length)
    {
        if (length.IsZero)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "length must be above zero");
        }

        BounceLength = length;
        return this;
    }

    /// <summary>Adds RAM.</summary>
    /// <param name="node">The node it belongs to.</param>
    /// <param name="range">Its addresses: multiples of 4 KiB, below 2^52, not empty.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The node is <see cref="NodeId.None"/>, or something lies there already.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty, misaligned or too high.</exception>
    public MachineBuilder AddRam(NodeId node, PhysRange range)
    {
        if (!node.IsKnown)
        {
            throw new ArgumentException("node must be one in [0, 1024); RAM belongs to a node", nameof(node));
        }

        _ = Add(AddressRegionKind.Ram, range, node, "System RAM");
        _ = range.TryGetFrames(out PfnRange frames); // aligned: Add has seen to it
        FrameLayout.AddRam(node, frames);
        return this;
    }

    /// <summary>Makes the last part of a node's RAM a movable zone: only what can be moved goes there, and nothing is pinned there for long.</summary>
    /// <param name="node">The node.</param>
    /// <param name="length">How much; rounded up so that the zone starts at a multiple of 4 MiB.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The node is <see cref="NodeId.None"/>.</exception>
    /// <remarks><b>Linux:</b> movablecore= and kernelcore= (v6.12), by node.</remarks>
    public MachineBuilder WithMovableZone(NodeId node, ByteCount length)
    {
        if (!node.IsKnown)
        {
            throw new ArgumentException("node must be one in [0, 1024); a zone belongs to a node", nameof(node));
        }

        FrameLayout.SetMovable(node, length.ToPagesRoundUp());
        return this;
    }

    /// <summary>Lends RAM to movable pages until a device wants it whole.</summary>
    /// <param name="range">Its addresses: multiples of 2 MiB, not empty, inside RAM that was added before.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">Not all of the range is RAM of one node.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or misaligned.</exception>
    /// <remarks><b>Linux:</b> cma_declare_contiguous (mm/cma.c, v6.12).</remarks>
    public MachineBuilder AddCma(PhysRange range)
    {
        if (range.IsEmpty || ((range.Start.Value | range.Length.Value) & PageSize.Large.OffsetMask) != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(range), range, $"range must start and end at multiples of 0x200000; it is {range}");
        }

        bool isRam = Map.TryFind(range.Start, out AddressRegion? region)
            && region.Kind == AddressRegionKind.Ram && region.Range.Contains(range);
        if (!isRam || !range.TryGetFrames(out PfnRange frames))
        {
            throw new ArgumentException($"range must lie in RAM added before; {range} does not", nameof(range));
        }

        FrameLayout.AddCma(frames);
        return this;
    }

    /// <summary>States how far two nodes are apart, both ways; 20 unless set.</summary>
    /// <param name="from">One node.</param>
    /// <param name="to">The other.</param>
    /// <param name="distance">The distance, in (10, 255): 10 is the distance to oneself, 255 unreachable.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">A node is <see cref="NodeId.None"/>, or both are one.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The distance is not in (10, 255).</exception>
    /// <remarks><b>Linux:</b> the SLIT and node_distance (v6.12).</remarks>
    public MachineBuilder WithNodeDistance(NodeId from, NodeId to, int distance)
    {
        if (!from.IsKnown || !to.IsKnown || from == to)
        {
            throw new ArgumentException($"from and to must be two nodes in [0, 1024); they are {from} and {to}", nameof(to));
        }

        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(distance, FrameLayout.LocalDistance);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(distance, 255);
        FrameLayout.SetDistance(from, to, distance);
        return this;
    }

    /// <summary>Adds a hole that firmware keeps.</summary>
    /// <param name="range">Its addresses: multiples of 4 KiB, below 2^52, not empty.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">Something lies there already.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty, misaligned or too high.</exception>
    public MachineBuilder AddReserved(PhysRange range) => Add(AddressRegionKind.Hole, range, NodeId.None, "Reserved");

    /// <summary>Adds a device's window.</summary>
    /// <param name="name">What /proc/iomem would call it, as <c>0000:41:00.0 BAR 2</c>.</param>
    /// <param name="range">Its addresses: below 2^52, not empty; no alignment is asked.</param>
    /// <param name="node">The node it is near to, if known.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name is empty, or something lies there already.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or too high.</exception>
    public MachineBuilder AddDeviceWindow(string name, PhysRange range, NodeId? node = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return Add(AddressRegionKind.DeviceWindow, range, node ?? NodeId.None, name);
    }

    /// <summary>Makes the machine.</summary>
    /// <returns>The machine; the caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">The builder has built already, or RAM below 4 GiB has no room for bounce buffers.</exception>
    public Machine Build() => new(this);

    /// <summary>Hands the map over to the machine.</summary>
    /// <returns>The map.</returns>
    /// <exception cref="InvalidOperationException">It was handed over before.</exception>
    internal AddressMap TakeAddressMap()
    {
        AddressMap map = Map;
        addressMap = null;
        return map;
    }

    private AddressMap Map =>
        addressMap ?? throw new InvalidOperationException("a builder builds one machine; this one has");

    private MachineBuilder Add(AddressRegionKind kind, PhysRange range, NodeId node, string name)
    {
        if (!AddressMap.IsLegal(range))
        {
            throw new ArgumentOutOfRangeException(
                nameof(range), range, $"range must be a non-empty part of [0x0, {AddressMap.End}); it is {range}");
        }

        bool needsPages = kind != AddressRegionKind.DeviceWindow;
        if (needsPages && ((range.Start.Value | range.Length.Value) & PageSize.Small.OffsetMask) != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(range), range, $"range must start and end at multiples of 0x1000; {name} is {range}");
        }

        if (!Map.TryAdd(new AddressRegion(kind, range, node, name), out AddressRegion? conflict))
        {
            throw new ArgumentException($"range must be free; {range} for {name} overlaps {conflict}", nameof(range));
        }

        return this;
    }
}
