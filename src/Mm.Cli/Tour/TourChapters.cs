namespace Mm.Cli.Tour;

/// <summary>The chapters, in the order in which the tour tells them.</summary>
internal static class TourChapters
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<TourChapter> All { get; } =
    [
        new("machine", "Build a machine: RAM, devices, and what lies where", MachineChapter.Tell),
        new("path", "Find the path: may this device reach that memory, and why not?", PathChapter.Tell),
        new("provider", "Give a BAR a provider: one owner, found again by address, no struct page", ProviderChapter.Tell),
        new("map", "Map one range list for three clients: direct, through the host bridge, refused", MapChapter.Tell),
        new("move", "Move bytes into BAR memory by a peer's DMA engine, and verify them", MoveChapter.Tell),
        new("kinds", "Ask for memory of several owners at once: a decision for each, or none at all", KindsChapter.Tell),
        new("slice", "Carry 512-byte slices of neighbouring BARs in one list, without page descriptors", SliceChapter.Tell),
        new("pool", "Publish an NVMe drive's memory, and let the kernel's rules pick the nearest", PoolChapter.Tell),
        new("share", "Share GPU memory as a buffer: devices import it, it moves while in use, a BAR is revoked", ShareChapter.Tell),
        new("exports", "Share a BAR in 64 pieces: one provider, one list through the DMA API, gone with its driver", ExportsChapter.Tell),
        new("doorbell", "Share a doorbell of the GPU with a NIC: no page is pinned, and it moves under both", DoorbellChapter.Tell),
        new("region", "Take GPU memory away from under a NIC: its region ends, its key stays taken", RegionChapter.Tell),
        new("rebuild", "Tell a NIC a thousand times that memory may move: its table is made anew when it did", RebuildChapter.Tell),
        new("migrate", "Move a process's array to the GPU, and back page by page as the CPU touches it", MigrateChapter.Tell),
        new("touch", "Let the GPU touch memory first: it is allocated on the GPU, and no page of RAM", TouchChapter.Tell),
        new("prefer", "Say where memory lies: mbind takes no node of device memory, the driver's wish does", PreferChapter.Tell),
        new("pin", "Pin part of an array: it stays, says why, and goes once it is let go", PinChapter.Tell),
        new("destination", "Migrate to where the driver chooses, copied by the device", DestinationChapter.Tell),
        new("copyfails", "Let the device's copies fail: nothing leaks, and no stale byte is seen", CopyFailsChapter.Tell),
        new("devicefault", "Let a GPU fault where nobody has been: memory of its own, and files refuse", DeviceFaultChapter.Tell),
        new("allocator", "Receive into buffers of a GPU, whose driver stays the one allocator of its memory", OneAllocatorChapter.Tell),
        new("land", "Let packets of real connections land in GPU memory, each process's in its own piece", LandChapter.Tell),
        new("unreadable", "Receive into memory without pages: the CPU is refused, tokens come back", UnreadableChapter.Tell),
    ];
}
