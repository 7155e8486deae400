using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Notifiers;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

/// <summary>A machine with one process and somebody who mirrors it; at its end nothing may be left.</summary>
internal sealed class SpaceRig : IDisposable
{
    internal const ulong Page = 4096;
    internal const ulong MiB = 1UL << 20;
    internal const ulong Large = 2 * MiB;
    internal const ulong Base = 0x4000_0000; // aligned to 2 MiB

    internal static readonly AreaTraits Own = new(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);

    private readonly ulong freeAtStart;
    private readonly List<AddressSpace> spaces = [];
    private readonly List<MemoryFile> files = [];

    internal SpaceRig(IYieldPoints? points = null, Action<MachineBuilder>? shape = null, ulong ramMiB = 16)
    {
        MachineBuilder builder = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(ramMiB)));
        shape?.Invoke(builder);
        Machine = builder.Build();
        freeAtStart = Free;
        Spaces = points is null ? Machine.Spaces : new AddressSpaces(new SpaceParts(
            Machine.Frames,
            Machine.Allocator,
            Machine.Memory,
            new PhysicalBytes(Machine.AddressMap, Machine.Memory),
            Machine.Pagemaps,
            Machine.Faults,
            Machine.Profile,
            points));
        Space = Create();
        Assert.That(Space.Notifiers.TryInsert(default, new ByteCount(1UL << 47), Mirror, out _), Is.EqualTo(Errno.Ok));
    }

    internal Machine Machine { get; }

    internal AddressSpaces Spaces { get; }

    /// <summary>The process.</summary>
    internal AddressSpace Space { get; }

    internal FrameTable Frames => Machine.Frames;

    /// <summary>What the process's mirror was told.</summary>
    internal Told Mirror { get; } = new();

    /// <summary>Pages that the allocator has, stacks included.</summary>
    internal ulong Free
    {
        get
        {
            Machine.Allocator.DrainStacks();
            return Machine.Allocator.Statistics.Free.Value;
        }
    }

    public void Dispose()
    {
        Validate();
        spaces.ForEach(static space => space.Dispose());
        files.ForEach(static file => file.Dispose());
        Assert.That(Spaces.Count, Is.Zero);
        Spaces.Dispose();
        Machine.Validate();
        Assert.That(Free, Is.EqualTo(freeAtStart), "pages are left");
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "native memory is left");
    }

    internal void Validate()
    {
        Machine.Validate();
        ((IValidator)Spaces).Validate();
    }

    internal static VirtAddr At(ulong page, ulong offset = 0) => new(Base + (page * Page) + offset);

    internal static ByteCount Pages(ulong count) => new(count * Page);

    internal static VirtRange Range(ulong page, ulong count) => new(At(page), Pages(count));

    internal AddressSpace Create()
    {
        Assert.That(Spaces.TryCreate(out AddressSpace? space), Is.EqualTo(Errno.Ok));
        return Keep(space!);
    }

    internal AddressSpace Keep(AddressSpace space)
    {
        spaces.Add(space);
        return space;
    }

    internal MemoryFile CreateFile(ulong pages, byte fill = 0, bool allowsSealing = false)
    {
        MemoryFile file = Spaces.CreateFile(allowsSealing);
        files.Add(file);
        Assert.That(file.TryResize(Pages(pages)), Is.EqualTo(Errno.Ok));
        if (fill != 0)
        {
            var text = new byte[pages * Page];
            Array.Fill(text, fill);
            Assert.That(file.TryWrite(default, text, out _), Is.EqualTo(Errno.Ok));
        }

        return file;
    }

    /// <summary>Maps at <see cref="Base"/> plus some pages; the mirror forgets what it was told before.</summary>
    internal void Map(ulong page, ulong count, AreaTraits? traits = null, ulong offset = 0)
    {
        var request = new AreaRequest(Pages(count), traits ?? Own)
        {
            At = At(page),
            Placement = AreaPlacement.Fixed,
            Offset = new PageCount(offset),
        };
        Assert.That(Space.TryMap(request, out VirtRange placed), Is.EqualTo(Errno.Ok));
        Assert.That(placed, Is.EqualTo(Range(page, count)));
        Mirror.Seen.Clear();
    }

    internal AddressSpace Fork(AddressSpace? of = null)
    {
        Assert.That((of ?? Space).TryFork(out AddressSpace? child), Is.EqualTo(Errno.Ok));
        return Keep(child!);
    }

    internal void Write(ulong page, byte value, AddressSpace? by = null) => Write(At(page), value, by);

    internal void Write(VirtAddr at, byte value, AddressSpace? by = null) =>
        Assert.That((by ?? Space).Write(at, [value]), Is.EqualTo(FaultResult.Done));

    internal byte Read(ulong page, AddressSpace? by = null) => Read(At(page), by);

    internal byte Read(VirtAddr at, AddressSpace? by = null)
    {
        var into = new byte[1];
        Assert.That((by ?? Space).Read(at, into), Is.EqualTo(FaultResult.Done));
        return into[0];
    }

    internal Pte Entry(ulong page, AddressSpace? of = null) => (of ?? Space).Tables.Read(At(page));

    internal PageSize SizeAt(ulong page, AddressSpace? of = null)
    {
        _ = (of ?? Space).Tables.ReadLeaf(At(page), out PageSize size);
        return size;
    }

    internal ulong Resident(RssKind kind = RssKind.Anonymous, AddressSpace? of = null) => (of ?? Space).CountResident(kind).Value;

    /// <summary>One pinned page.</summary>
    internal PagePin Pin(ulong page, PinFlags flags, AddressSpace? by = null)
    {
        var pins = new PagePin[1];
        Assert.That((by ?? Space).TryPin(At(page), flags, pins, out int count), Is.EqualTo(Errno.Ok));
        Assert.That(count, Is.EqualTo(1));
        return pins[0];
    }

    /// <summary>Why a pin of one page is refused.</summary>
    internal Errno PinErrno(ulong page, PinFlags flags, AddressSpace? by = null)
    {
        var pins = new PagePin[1];
        Errno errno = (by ?? Space).TryPin(At(page), flags, pins, out int count);
        Assert.That((count, pins[0].IsEmpty), Is.EqualTo((0, true)));
        return errno;
    }

    /// <summary>A byte of a page by its frame, as a device sees it.</summary>
    internal byte Peek(Pfn page)
    {
        using SpanLease lease = Spaces.LeasePage(page);
        return lease.Bytes[0];
    }

    internal void Poke(Pfn page, byte value)
    {
        using SpanLease lease = Spaces.LeasePage(page);
        lease.Bytes[0] = value;
    }

    /// <summary>A page map over a window or private memory of 2 MiB, one page of which is handed out.</summary>
    internal Pagemap MapDevice(PagemapKind kind, Driver driver, ulong windowAt = 4UL << 30)
    {
        var window = new PhysRange(new PhysAddr(windowAt), new ByteCount(Large));
        Assert.That(Machine.TryAddDeviceWindow("window", window, out _), Is.EqualTo(Errno.Ok));
        var request = new PagemapRequest { Kind = kind, Ranges = [window], Owner = this, Ops = driver };
        Assert.That(Machine.Pagemaps.TryAdd(request, out Pagemap? map), Is.EqualTo(Errno.Ok));
        return map!;
    }

    /// <summary>What a mirror is told, with the events in order.</summary>
    internal sealed class Told : IIntervalListener
    {
        internal List<(NotifierEvent Event, VirtRange Range)> Seen { get; } = [];

        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
        {
            notifier.SetSequence(sequence);
            Seen.Add((range.Event, range.Range));
            return true;
        }
    }

    /// <summary>A driver that says no.</summary>
    internal sealed class Driver : IPrivatePagemapOps
    {
        public void OnPageFree(Pagemap map, Pfn page)
        {
        }

        public Errno TryMigrateToRam(Pagemap map, IDevicePageFault fault) => Errno.EFAULT;
    }
}
