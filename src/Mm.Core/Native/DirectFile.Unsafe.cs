using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mm.Core.Native;

/// <summary>A file of the real system whose bytes go straight between the disk and a machine's memory, past the page cache.</summary>
/// <remarks>
/// Owns the open file, not the bytes that it is read into. Where the system, the file system or the place of the bytes does
/// not allow it the file is read and written through the page cache, and <see cref="BufferedBytes"/> says how much: also then
/// there is no copy of Mm's own in between.
/// <para><b>Linux:</b> open(2) with O_DIRECT (v6.12). Linux and Windows have it; macOS is always buffered.</para>
/// <para><b>Invariants:</b> (1) every byte moved is counted once, as direct or as buffered.</para>
/// <para><b>Locking:</b> safe from any thread; reads and writes of the same bytes are as ordered as the system orders them.</para>
/// </remarks>
public sealed unsafe partial class DirectFile : IDisposable
{
    private const int ReadWrite = 2; // O_RDWR
    private const int CloseOnExec = 0x8_0000; // O_CLOEXEC
    private const FileOptions NoBuffering = (FileOptions)0x2000_0000; // FILE_FLAG_NO_BUFFERING; Windows alone has it
    private const ulong Alignment = 512; // of place, offset and length; a disk of larger blocks refuses, and is buffered

    private readonly SafeFileHandle buffered;
    private readonly SafeFileHandle? direct;
    private long directBytes; // atomic
    private long bufferedBytes; // atomic

    private DirectFile(string path, SafeFileHandle buffered, SafeFileHandle? direct)
    {
        Path = path;
        this.buffered = buffered;
        this.direct = direct;
        Length = new ByteCount((ulong)RandomAccess.GetLength(buffered));
    }

    /// <summary>Where the file is.</summary>
    public string Path { get; }

    /// <summary>How many bytes it had when it was opened.</summary>
    public ByteCount Length { get; }

    /// <summary>Whether the system lets this file past the page cache.</summary>
    public bool IsDirect => direct is not null;

    /// <summary>How many bytes went past the page cache.</summary>
    public ByteCount DirectBytes => new((ulong)Interlocked.Read(ref directBytes));

    /// <summary>How many bytes went through the page cache.</summary>
    public ByteCount BufferedBytes => new((ulong)Interlocked.Read(ref bufferedBytes));

    // O_DIRECT, whose value differs; 0 where it is not known.
    private static int DirectFlag => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 0x4000,
        Architecture.Arm64 => 0x1_0000,
        _ => 0,
    };

    /// <summary>Opens a file that is there.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="wantsDirect">Whether to go past the page cache where that is possible.</param>
    /// <returns>The file; the caller disposes it.</returns>
    /// <exception cref="IOException">The system refuses, or there is no such file.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read and written.</exception>
    public static DirectFile Open(string path, bool wantsDirect = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafeFileHandle cached = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            return new DirectFile(path, cached, wantsDirect ? TryOpenDirect(path) : null);
        }
        catch
        {
            cached.Dispose();
            throw;
        }
    }

    /// <summary>Reads bytes to where they are wanted.</summary>
    /// <param name="offset">Where in the file.</param>
    /// <param name="into">Where to: borrowed bytes of a machine's memory, as a rule.</param>
    /// <returns>Ok; EIO: the system failed, or the file is shorter; what was read till then is there.</returns>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public Errno TryRead(ByteCount offset, Span<byte> into)
    {
        while (!into.IsEmpty)
        {
            if (!TryReadSome(offset, into, out int done) || done == 0)
            {
                return Errno.EIO;
            }

            into = into[done..];
            offset = offset.AddChecked(new ByteCount((ulong)done));
        }

        return Errno.Ok;
    }

    /// <summary>Writes bytes from where they are.</summary>
    /// <param name="offset">Where in the file.</param>
    /// <param name="from">The bytes.</param>
    /// <returns>Ok; EIO: the system failed; what was written till then is there.</returns>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public Errno TryWrite(ByteCount offset, ReadOnlySpan<byte> from)
    {
        bool isDirect = IsDirect && IsAligned(offset, from);
        try
        {
            RandomAccess.Write(isDirect ? direct! : buffered, from, checked((long)offset.Value));
        }
        catch (IOException) when (isDirect)
        {
            return TryWriteBuffered(offset, from);
        }
        catch (IOException)
        {
            return Errno.EIO;
        }

        Count(isDirect, from.Length);
        return Errno.Ok;
    }

    /// <summary>Sees to it that all that was written is on the disk.</summary>
    /// <returns>Ok; EIO: the system failed.</returns>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public Errno TryFlush()
    {
        try
        {
            RandomAccess.FlushToDisk(buffered);
            return Errno.Ok;
        }
        catch (IOException)
        {
            return Errno.EIO;
        }
    }

    /// <summary>Closes the file. Twice does nothing.</summary>
    public void Dispose()
    {
        buffered.Dispose();
        direct?.Dispose();
    }

    /// <summary>The path, and whether it is direct.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Path}, {(IsDirect ? "direct" : "buffered")}";

    private static SafeFileHandle? TryOpenDirect(string path)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, NoBuffering);
            }
        }
        catch (IOException)
        {
            return null;
        }

        if (!OperatingSystem.IsLinux() || DirectFlag == 0)
        {
            return null;
        }

        // A file system without direct I/O refuses here.
        var handle = new SafeFileHandle(open(path, ReadWrite | CloseOnExec | DirectFlag), ownsHandle: true);
        if (!handle.IsInvalid)
        {
            return handle;
        }

        handle.Dispose();
        return null;
    }

    private static bool IsAligned(ByteCount offset, ReadOnlySpan<byte> bytes)
    {
        // SAFETY: the address is compared and not kept, so it does not matter whether the bytes move afterwards; those that
        // matter, a machine's, never do.
        fixed (byte* start = bytes)
        {
            return (((ulong)start | offset.Value | (uint)bytes.Length) & (Alignment - 1)) == 0;
        }
    }

    private bool TryReadSome(ByteCount offset, Span<byte> into, out int done)
    {
        done = 0;
        bool isDirect = IsDirect && IsAligned(offset, into);
        try
        {
            done = RandomAccess.Read(isDirect ? direct! : buffered, into, checked((long)offset.Value));
        }
        catch (IOException) when (isDirect)
        {
            isDirect = false;
            if (!TryReadBuffered(offset, into, out done))
            {
                return false;
            }
        }
        catch (IOException)
        {
            return false;
        }

        Count(isDirect, done);
        return true;
    }

    // Larger blocks than Alignment, or a file system that allows opening only: what the page cache cannot do either fails there.
    private bool TryReadBuffered(ByteCount offset, Span<byte> into, out int done)
    {
        done = 0;
        try
        {
            done = RandomAccess.Read(buffered, into, checked((long)offset.Value));
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private Errno TryWriteBuffered(ByteCount offset, ReadOnlySpan<byte> from)
    {
        try
        {
            RandomAccess.Write(buffered, from, checked((long)offset.Value));
        }
        catch (IOException)
        {
            return Errno.EIO;
        }

        Count(isDirect: false, from.Length);
        return Errno.Ok;
    }

    private void Count(bool isDirect, int bytes) => _ = Interlocked.Add(ref (isDirect ? ref directBytes : ref bufferedBytes), bytes);

    // SAFETY: takes a string that the marshaller keeps alive for the call, and touches no other memory of ours.
#pragma warning disable IDE1006 // the name is libc's own
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int open(string path, int flags);
#pragma warning restore IDE1006
}
