using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Pagemaps;

namespace Mm.Core.Tests.Pagemaps;

/// <summary>The parts of a machine that page maps need, with RAM at [0, 64 MiB) and a window at 4 GiB, and a driver that remembers.</summary>
internal sealed class PagemapRig : IDisposable
{
    internal const ulong Window = 4UL << 30;
    internal const ulong MiB = 1UL << 20;

    internal PagemapRig(LinuxProfile? profile = null, IYieldPoints? points = null)
    {
        var map = new AddressMap();
        Add(map, AddressRegionKind.Ram, 0, 64 * MiB);
        Add(map, AddressRegionKind.DeviceWindow, Window, 64 * MiB);
        Memory = new MachineMemory(NativeBacking.OperatingSystem, hugePages: false);
        Frames = new FrameTable(Memory, []);
        AddressMap = map;
        Registry = new PagemapRegistry(new PagemapParts(
            Frames, Memory, map, new PhysicalBytes(map, Memory), profile ?? LinuxProfile.V612, Faults, points));
    }

    internal AddressMap AddressMap { get; }

    internal MachineMemory Memory { get; }

    internal FaultInjector Faults { get; } = new();

    internal FrameTable Frames { get; }

    internal PagemapRegistry Registry { get; }

    internal Driver Ops { get; } = new();

    internal object Owner { get; } = new();

    /// <summary>How many pages the tests handed out.</summary>
    internal int HandedOut { get; set; }

    public void Dispose()
    {
        Registry.Dispose();
        Frames.Dispose();
        foreach (AddressRegion region in AddressMap.Regions)
        {
            region.Remove();
        }

        Assert.That((Memory.Ledger.Live.Value, Memory.Ledger.LiveBlocks), Is.EqualTo((0UL, 0L)), "native memory is left");
    }

    internal static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));

    internal static Pfn Page(ulong index) => new((Window >> 12) + index);

    internal PagemapRequest Request(PagemapKind kind, params PhysRange[] ranges) => new()
    {
        Kind = kind,
        Ranges = ranges.Length == 0 ? [Range(Window, 4 * MiB)] : ranges,
        Owner = Owner,
        Ops = Ops,
    };

    internal Pagemap Map(PagemapKind kind, params PhysRange[] ranges)
    {
        Assert.That(Registry.TryAdd(Request(kind, ranges), out Pagemap? map), Is.EqualTo(Errno.Ok));
        return map!;
    }

    internal PageRef HandOut(Pagemap map, Pfn page)
    {
        Assert.That(map.TryHandOut(page, out PageRef reference, out PageLock pageLock), Is.EqualTo(Errno.Ok));
        pageLock.Dispose();
        HandedOut++;
        return reference;
    }

    internal void Validate() => ((IValidator)Registry).Validate();

    private static void Add(AddressMap map, AddressRegionKind kind, ulong start, ulong length) =>
        Assert.That(map.TryAdd(new AddressRegion(kind, Range(start, length), new NodeId(0), "region"), out _), Is.True);

    internal sealed class Driver : IPrivatePagemapOps
    {
        internal List<Pfn> Freed { get; } = [];

        internal Action<Pagemap, Pfn>? Then { get; set; }

        public void OnPageFree(Pagemap map, Pfn page)
        {
            Freed.Add(page);
            Then?.Invoke(map, page);
        }

        public Errno TryMigrateToRam(Pagemap map, IDevicePageFault fault) => Errno.EFAULT;
    }
}
