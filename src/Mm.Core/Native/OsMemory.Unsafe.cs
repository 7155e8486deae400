using System.Runtime.InteropServices;

namespace Mm.Core.Native;

/// <summary>The one door to the operating system's virtual memory: reserve, commit, drop, release, advise.</summary>
/// <remarks>
/// Keeps no state and counts nothing: <see cref="ReservedMemory"/> owns what comes through here.
/// Linux and macOS back a page when it is first touched. Windows must be asked to commit first, which
/// <see cref="CommitMap"/> does in chunks; <c>MM_COMMIT=chunks</c> makes the other systems behave so too, to test that path.
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
internal static unsafe partial class OsMemory
{
    /// <summary>The step in which memory is committed where it must be, and the alignment of every block: 2 MiB, a huge page.</summary>
    internal const ulong ChunkBytes = 2UL << 20;

    private const nint MapFailed = -1;
    private const int ProtNone = 0;
    private const int ProtReadWrite = 1 | 2;
    private const int MapShared = 0x01;
    private const int MapPrivate = 0x02;
    private const int MapFixed = 0x10;
    private const int AdviceHugePage = 14; // MADV_HUGEPAGE; Linux alone has it
    private const uint MemCommit = 0x1000;
    private const uint MemReserve = 0x2000;
    private const uint MemDecommit = 0x4000;
    private const uint MemRelease = 0x8000;
    private const uint PageNoAccess = 0x01;
    private const uint PageReadWrite = 0x04;

    /// <summary>Whether memory must be committed before it is touched. Read once, so that the JIT drops the other branch.</summary>
    internal static bool CommitsInChunks { get; } =
        OperatingSystem.IsWindows() || Environment.GetEnvironmentVariable("MM_COMMIT") == "chunks";

    // MAP_ANONYMOUS | MAP_NORESERVE, whose values differ.
    private static int MapLazy => OperatingSystem.IsMacOS() ? 0x1000 | 0x40 : 0x20 | 0x4000;

    /// <summary>Reserves zeroed address space that costs memory only where it is touched.</summary>
    /// <param name="bytes">How many bytes; a multiple of <see cref="ChunkBytes"/>.</param>
    /// <returns>The first address, a multiple of <see cref="ChunkBytes"/>.</returns>
    /// <exception cref="InsufficientMemoryException">The operating system refuses.</exception>
    internal static byte* Reserve(ulong bytes) =>
        OperatingSystem.IsWindows() ? ReserveWindows(bytes) : ReserveUnix(bytes);

    /// <summary>Makes reserved bytes usable, where <see cref="CommitsInChunks"/>; doing it twice does no harm.</summary>
    /// <param name="start">A chunk's first address.</param>
    /// <param name="bytes">How many bytes; whole chunks.</param>
    /// <exception cref="InsufficientMemoryException">The operating system refuses.</exception>
    internal static void Commit(byte* start, ulong bytes)
    {
        bool committed = OperatingSystem.IsWindows()
            ? VirtualAlloc(start, (nuint)bytes, MemCommit, PageReadWrite) is not null
            : mprotect(start, (nuint)bytes, ProtReadWrite) == 0;
        if (!committed)
        {
            throw Refused("commit", bytes);
        }
    }

    /// <summary>Gives the memory back but keeps the addresses: they read as zero on Unix, and fault on Windows.</summary>
    /// <param name="start">The first address of a block.</param>
    /// <param name="bytes">The block's length.</param>
    internal static void Drop(byte* start, ulong bytes)
    {
        if (OperatingSystem.IsWindows())
        {
            _ = VirtualFree(start, (nuint)bytes, MemDecommit);
            return;
        }

        // Mapping anew is the one way that drops and zeroes on both Linux and macOS. A failure leaves the old pages
        // in place until the block is released: dearer, but not wrong.
        // SAFETY: MapFixed replaces what is mapped there, and that is the caller's own block, whole.
        _ = mmap(start, (nuint)bytes, ProtReadWrite, MapPrivate | MapLazy | MapFixed, -1, 0);
    }

    /// <summary>Puts pages of a file in the place of a block's own. Linux alone.</summary>
    /// <param name="start">A page of a block.</param>
    /// <param name="bytes">How many bytes of the block; whole pages.</param>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where in the file; whole pages.</param>
    /// <returns>Whether it was done; the old pages are there where not.</returns>
    internal static bool TryMapFile(byte* start, ulong bytes, nint file, long offset) =>
        // SAFETY: MapFixed replaces what is mapped there, and that is part of the caller's own block.
        mmap(start, (nuint)bytes, ProtReadWrite, MapShared | MapFixed, (int)file, (nint)offset) != MapFailed;

    /// <summary>Puts private, zeroed pages in the place of a file's. Linux alone.</summary>
    /// <param name="start">A page of a block.</param>
    /// <param name="bytes">How many bytes of the block; whole pages.</param>
    /// <returns>Whether it was done; the file's pages are there where not.</returns>
    internal static bool TryMapPrivate(byte* start, ulong bytes) =>
        // SAFETY: as above.
        mmap(start, (nuint)bytes, ProtReadWrite, MapPrivate | MapLazy | MapFixed, -1, 0) != MapFailed;

    /// <summary>Ends the block; its addresses mean nothing afterwards.</summary>
    /// <param name="start">The first address of a block.</param>
    /// <param name="bytes">The block's length.</param>
    internal static void Release(byte* start, ulong bytes)
    {
        if (OperatingSystem.IsWindows())
        {
            _ = VirtualFree(start, 0, MemRelease);
            return;
        }

        _ = munmap(start, (nuint)bytes);
    }

    /// <summary>Asks for huge pages behind a block; the operating system is free to ignore it.</summary>
    /// <param name="start">The first address of a block.</param>
    /// <param name="bytes">The block's length.</param>
    internal static void AdviseHugePages(byte* start, ulong bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = madvise(start, (nuint)bytes, AdviceHugePage);
        }
    }

    private static byte* ReserveUnix(ulong bytes)
    {
        // mmap aligns to small pages only: reserve a chunk too much and give the ragged ends back.
        ulong wanted = checked(bytes + ChunkBytes);
        int protection = CommitsInChunks ? ProtNone : ProtReadWrite;
        nint address = mmap(null, (nuint)wanted, protection, MapPrivate | MapLazy, -1, 0);
        if (address == MapFailed)
        {
            throw Refused("reserve", bytes);
        }

        byte* raw = (byte*)address;

        ulong head = unchecked(0UL - (ulong)raw) & (ChunkBytes - 1); // wraps on purpose: distance up to alignment
        if (head != 0)
        {
            _ = munmap(raw, (nuint)head);
        }

        _ = munmap(raw + head + bytes, (nuint)(ChunkBytes - head));
        return raw + head;
    }

    private static byte* ReserveWindows(ulong bytes)
    {
        // VirtualAlloc aligns to 64 KiB and releases only whole reservations: find an aligned hole by reserving too
        // much, let go, and take the aligned part; another thread may be faster, so try again a few times.
        for (int attempt = 0; attempt < 16; attempt++)
        {
            byte* probe = (byte*)VirtualAlloc(null, (nuint)checked(bytes + ChunkBytes), MemReserve, PageNoAccess);
            if (probe is null)
            {
                break;
            }

            _ = VirtualFree(probe, 0, MemRelease);
            ulong head = unchecked(0UL - (ulong)probe) & (ChunkBytes - 1); // wraps on purpose: distance up to alignment
            byte* aligned = (byte*)VirtualAlloc(probe + head, (nuint)bytes, MemReserve, PageNoAccess);
            if (aligned is not null)
            {
                return aligned;
            }
        }

        throw Refused("reserve", bytes);
    }

    private static InsufficientMemoryException Refused(string what, ulong bytes) =>
        new($"the operating system refused to {what} {new ByteCount(bytes)} (error {Marshal.GetLastPInvokeError()}); "
            + "an address space limit (ulimit -v) or vm.overcommit_memory=2 does that");

    // The names are libc's and the Windows API's own.
#pragma warning disable IDE1006
    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint mmap(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int munmap(void* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int madvise(void* address, nuint length, int advice);
#pragma warning restore IDE1006

    [LibraryImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial void* VirtualAlloc(void* address, nuint size, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualFree(void* address, nuint size, uint type);
}
