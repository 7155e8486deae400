using System.Runtime.InteropServices;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>A machine with RAM, two devices of one kind, and a process that opened both.</summary>
internal sealed class MirrorRig : IDisposable
{
    internal const int PageBytes = 4096;

    private readonly bool hasOwnEngines;

    internal MirrorRig(
        MirrorMemoryKind kind = MirrorMemoryKind.Private,
        ulong deviceMiB = 4,
        bool hasOwnEngines = false,
        LinuxProfile? profile = null,
        ulong ramMiB = 64)
    {
        Kind = kind;
        this.hasOwnEngines = hasOwnEngines;
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(ramMiB)))
            .WithProfile(profile ?? LinuxProfile.V612)
            .Build();
        Devices = [MakeDevice(0, deviceMiB), MakeDevice(1, deviceMiB)];
        Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Space = space!;
        Mirrors = [Open(Devices[0], Space), Open(Devices[1], Space)];
    }

    internal MirrorMemoryKind Kind { get; }

    internal Machine Machine { get; }

    internal MirrorDevice[] Devices { get; }

    internal DeviceMirror[] Mirrors { get; }

    internal AddressSpace Space { get; }

    internal MirrorDevice Device => Devices[0];

    internal DeviceMirror Mirror => Mirrors[0];

    internal bool IsCoherent => Kind == MirrorMemoryKind.Coherent;

    /// <summary>Where the first device's pages are, as it sees them itself.</summary>
    internal MirrorPlace Here => IsCoherent ? MirrorPlace.CoherentHere : MirrorPlace.PrivateHere;

    internal static DeviceMirror Open(MirrorDevice device, AddressSpace space)
    {
        device.TryOpen(space, out DeviceMirror? mirror).ThrowIfError();
        return mirror!;
    }

    /// <summary>Pages of growing words, as the kernel's tests fill them.</summary>
    internal static byte[] Words(int pages, int first = 0)
    {
        int[] words = new int[pages * PageBytes / sizeof(int)];
        for (int index = 0; index < words.Length; index++)
        {
            words[index] = first + index;
        }

        return MemoryMarshal.AsBytes(words.AsSpan()).ToArray();
    }

    internal static bool IsRamLeaf(AddressSpace space, VirtRange range) =>
        space.Tables.ReadLeaf(range.Start, out PageSize size).IsPresent && size == PageSize.Large;

    // A comparison by NUnit takes long for a MiB.
    internal static void AssertSame(ReadOnlySpan<byte> seen, ReadOnlySpan<byte> wanted)
    {
        int common = seen.CommonPrefixLength(wanted);
        Assert.That((common, seen.Length), Is.EqualTo((wanted.Length, wanted.Length)), "the bytes agree up to the end");
    }

    internal static VirtRange Part(VirtRange range, int page, int pages = 1) =>
        new(range.Start.AddChecked(new PageCount((ulong)page).ToBytes()), new PageCount((ulong)pages).ToBytes());

    internal static int PagesOf(VirtRange range) => (int)(range.Length.Value / PageBytes);

    internal VirtRange Map(
        int pages, AreaAccess access = AreaAccess.ReadWrite, AreaKind kind = AreaKind.AnonymousPrivate, MemoryFile? file = null)
    {
        var request = new AreaRequest(new PageCount((ulong)pages).ToBytes(), new AreaTraits(kind, access) { Backing = file });
        Space.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    /// <summary>Maps pages that the CPU has filled.</summary>
    internal VirtRange MapFilled(int pages, int first = 0)
    {
        VirtRange range = Map(pages);
        Write(range, Words(pages, first));
        return range;
    }

    /// <summary>Maps an aligned range of 2 MiB that wants to be one page.</summary>
    internal VirtRange MapHuge()
    {
        VirtRange room = Map(1024);
        var aligned = new VirtAddr((room.Start.Value + 0x1F_FFFF) & ~0x1F_FFFFUL);
        Space.TryWantHugePages(aligned, ByteCount.FromMiB(2), wanted: true).ThrowIfError();
        return new VirtRange(aligned, ByteCount.FromMiB(2));
    }

    internal MemoryFile MakeFile(int pages, int first = 0)
    {
        MemoryFile file = Machine.Spaces.CreateFile();
        file.TryResize(new PageCount((ulong)pages).ToBytes()).ThrowIfError();
        file.TryWrite(ByteCount.Zero, Words(pages, first), out _).ThrowIfError();
        return file;
    }

    internal void Write(VirtRange range, byte[] bytes) => Write(Space, range, bytes);

    internal static void Write(AddressSpace space, VirtRange range, byte[] bytes) =>
        Assert.That(space.Write(range.Start, bytes), Is.EqualTo(FaultResult.Done));

    internal byte[] Read(VirtRange range) => Read(Space, range);

    internal static byte[] Read(AddressSpace space, VirtRange range)
    {
        byte[] bytes = new byte[(int)range.Length.Value];
        Assert.That(space.Read(range.Start, bytes), Is.EqualTo(FaultResult.Done));
        return bytes;
    }

    internal static byte[] DeviceRead(DeviceMirror mirror, VirtRange range, int? faults = null)
    {
        byte[] bytes = new byte[(int)range.Length.Value];
        Assert.That(mirror.TryRead(range, bytes, out MirrorTransfer done), Is.EqualTo(Errno.Ok));
        Assert.That(done.Pages.ToBytes(), Is.EqualTo(range.Length));
        Assert.That(done.Faults, Is.EqualTo(faults ?? done.Faults));
        return bytes;
    }

    internal static void DeviceWrite(DeviceMirror mirror, VirtRange range, byte[] bytes, int? faults = null)
    {
        Assert.That(mirror.TryWrite(range, bytes, out MirrorTransfer done), Is.EqualTo(Errno.Ok));
        Assert.That(done.Pages.ToBytes(), Is.EqualTo(range.Length));
        Assert.That(done.Faults, Is.EqualTo(faults ?? done.Faults));
    }

    /// <summary>Migrates to a device, and gives what the device sees without a fault.</summary>
    internal static Errno ToDevice(DeviceMirror mirror, VirtRange range, out byte[] seen)
    {
        seen = new byte[(int)range.Length.Value];
        Errno errno = mirror.TryMigrateToDevice(range, out _);
        return errno.IsOk ? mirror.TryReadMapped(range, seen, out _) : errno;
    }

    /// <summary>Migrates all of a range to the first device.</summary>
    internal void ToDevice(VirtRange range)
    {
        Assert.That(Mirror.TryMigrateToDevice(range, out PageCount moved), Is.EqualTo(Errno.Ok));
        Assert.That(moved.ToBytes(), Is.EqualTo(range.Length));
    }

    internal static MirrorPage[] TakeSnapshot(DeviceMirror mirror, VirtRange range)
    {
        var pages = new MirrorPage[PagesOf(range)];
        Assert.That(mirror.TrySnapshot(range, pages), Is.EqualTo(Errno.Ok));
        return pages;
    }

    internal static MirrorPlace[] Places(DeviceMirror mirror, VirtRange range) =>
        [.. TakeSnapshot(mirror, range).Select(page => page.Place)];

    internal AddressSpace Fork()
    {
        Space.TryFork(out AddressSpace? child).ThrowIfError();
        return child!;
    }

    /// <summary>The frame that an entry of the process names.</summary>
    internal Pfn FrameAt(VirtAddr at) => Space.Tables.Read(at).Frame;

    public void Dispose()
    {
        Machine.Faults.Clear();
        Machine.Validate();
        Space.Dispose();
        foreach (DeviceMirror mirror in Mirrors)
        {
            mirror.Dispose();
        }

        foreach (MirrorDevice device in Devices)
        {
            Assert.That(device.UsedPages, Is.EqualTo(PageCount.Zero), "a device's page is left");
            device.Dispose();
        }

        Machine.Spaces.Dispose();
        Assert.That(Machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero), "a page of RAM is left");
        Machine.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "native memory is left");
    }

    // A stepped engine works while somebody waits for it, so that the same calls fail the same copies.
    private DeviceCopyEngine MakeEngine(IPageBytes bytes) =>
        new("gpu-copy", bytes, Machine.Faults, CopyEngineDrive.Stepped);

    private MirrorDevice MakeDevice(int number, ulong deviceMiB)
    {
        Func<IPageBytes, ICopyEngine>? makeEngine = hasOwnEngines ? MakeEngine : null;
        string name = $"gpu{number}";
        var size = ByteCount.FromMiB(deviceMiB);
        MirrorDevice? device;
        if (IsCoherent)
        {
            var window = new PhysRange(new PhysAddr((1UL << 32) + ((ulong)number << 30)), size);
            MirrorDevice.TryCreateCoherent(Machine, name, window, out device, makeEngine).ThrowIfError();
        }
        else
        {
            MirrorDevice.TryCreatePrivate(Machine, name, size, out device, makeEngine).ThrowIfError();
        }

        return device!;
    }
}
