using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mm.Core.Native;

/// <summary>Bytes of a machine that lie in a file of the real system meanwhile, so that other processes can map the same bytes.</summary>
/// <remarks>
/// Owns the file, which has no name, and the mapping of its pages in the place of the machine's own. Disposing puts private
/// memory there again, with the bytes as they are then; who mapped the file keeps what he mapped.
/// Linux alone has what it takes.
/// <para><b>Invariants:</b> (1) a byte is shared once at a time; (2) opening and ending change no byte; (3) the region is kept
/// while its bytes are shared.</para>
/// <para><b>Locking:</b> safe from any thread; nobody may write the bytes while they are opened or ended.</para>
/// </remarks>
public sealed unsafe partial class SharedBytes : IDisposable
{
    private const int CloseOnExec = 1; // MFD_CLOEXEC

    private readonly SafeFileHandle file;
    private readonly Piece[] pieces;
    private int isDisposed; // atomic

    private SharedBytes(SafeFileHandle file, Piece[] pieces, ByteCount length)
    {
        this.file = file;
        this.pieces = pieces;
        Length = length;
        Path = $"/proc/{Environment.ProcessId}/fd/{file.DangerousGetHandle()}";
    }

    /// <summary>How many bytes the file has.</summary>
    public ByteCount Length { get; }

    /// <summary>Where another process of the same user opens the file, as long as this is not disposed.</summary>
    public string Path { get; }

    /// <summary>Ends the sharing. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }

        End(file, pieces);
        file.Dispose();
    }

    /// <summary>Shares bytes.</summary>
    /// <param name="pieces">Which, in the order of the file.</param>
    /// <param name="shared">The lease; null when refused.</param>
    /// <returns>Ok; EOPNOTSUPP: not on this system, or with this backing; EBUSY: a byte is shared already; ENODEV: a region is
    /// closed; ENOMEM: the system refuses.</returns>
    internal static Errno TryShare(Piece[] pieces, out SharedBytes? shared)
    {
        shared = null;
        bool isPossible = OperatingSystem.IsLinux() && (ulong)Environment.SystemPageSize == PageSize.Small.Bytes.Value;
        if (!isPossible || Array.Exists(pieces, static piece => !piece.Region.CanShare))
        {
            return Errno.EOPNOTSUPP;
        }

        ulong total = 0;
        foreach (Piece piece in pieces)
        {
            total += piece.Length;
        }

        if (!TryCreateFile(total, out SafeFileHandle file))
        {
            file.Dispose();
            return Errno.ENOMEM;
        }

        Errno errno = TryStart(file, pieces);
        shared = errno.IsOk ? new SharedBytes(file, pieces, new ByteCount(total)) : null;
        if (!errno.IsOk)
        {
            file.Dispose();
        }

        return errno;
    }

    private static bool TryCreateFile(ulong length, out SafeFileHandle file)
    {
        file = new SafeFileHandle(memfd_create("mm", CloseOnExec), ownsHandle: true);
        try
        {
            if (!file.IsInvalid)
            {
                RandomAccess.SetLength(file, checked((long)length));
            }
        }
        catch (IOException)
        {
            return false;
        }

        return !file.IsInvalid;
    }

    private static Errno TryStart(SafeFileHandle file, Piece[] pieces)
    {
        long at = 0;
        for (int index = 0; index < pieces.Length; index++)
        {
            Errno errno = pieces[index].Region.TryStartSharing(pieces[index], file, at);
            if (!errno.IsOk)
            {
                End(file, pieces.AsSpan(0, index));
                return errno;
            }

            at += (long)pieces[index].Length;
        }

        return Errno.Ok;
    }

    private static void End(SafeFileHandle file, ReadOnlySpan<Piece> pieces)
    {
        long at = 0;
        foreach (Piece piece in pieces)
        {
            piece.Region.EndSharing(piece, file, at);
            at += (long)piece.Length;
        }
    }

    // SAFETY: takes a string that the marshaller keeps alive for the call, and touches no other memory of ours.
#pragma warning disable IDE1006 // the name is libc's own
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int memfd_create(string name, uint flags);
#pragma warning restore IDE1006

    /// <summary>Bytes of a region, whole pages.</summary>
    internal readonly record struct Piece(NativeRegion Region, ulong Offset, ulong Length);
}
