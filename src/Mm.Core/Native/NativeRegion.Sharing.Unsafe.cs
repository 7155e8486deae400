using Microsoft.Win32.SafeHandles;

namespace Mm.Core.Native;

/// <content>Bytes that lie in a file of the real system for a while.</content>
public sealed unsafe partial class NativeRegion
{
    private readonly Lock sharing = new();
    private readonly List<SharedBytes.Piece> shared = []; // protected by sharing

    /// <summary>Whether its memory is such that a file's pages can take its place.</summary>
    internal bool CanShare => memory.Array is null;

    /// <summary>Copies bytes into a file and puts the file's pages in their place.</summary>
    /// <param name="piece">Which bytes: whole pages of this region.</param>
    /// <param name="file">The file.</param>
    /// <param name="at">Where in it.</param>
    /// <returns>Ok; EBUSY: a byte is shared already; ENODEV: the region is closed; ENOMEM: the system refuses.</returns>
    internal Errno TryStartSharing(SharedBytes.Piece piece, SafeFileHandle file, long at)
    {
        lock (sharing)
        {
            if (shared.Exists(other => piece.Offset < other.Offset + other.Length && other.Offset < piece.Offset + piece.Length))
            {
                return Errno.EBUSY;
            }

            if (!TryOpenLife()) // kept open until EndSharing
            {
                return Errno.ENODEV;
            }

            if (!TryMoveToFile(piece, file, at))
            {
                EndLife();
                return Errno.ENOMEM;
            }

            shared.Add(piece);
            return Errno.Ok;
        }
    }

    /// <summary>Puts private memory in the place of a file's pages, with the bytes as they are.</summary>
    /// <param name="piece">What was shared.</param>
    /// <param name="file">The file.</param>
    /// <param name="at">Where in it.</param>
    internal void EndSharing(SharedBytes.Piece piece, SafeFileHandle file, long at)
    {
        lock (sharing)
        {
            _ = shared.Remove(piece);

            // Where the system refuses, the file's pages stay: still the same bytes, still seen by who mapped them.
            if (OsMemory.TryMapPrivate(memory.Start + piece.Offset, piece.Length))
            {
                ForEachSpan(piece, at, (span, offset) => _ = RandomAccess.Read(file, span, offset));
            }
        }

        EndLife();
    }

    private bool TryMoveToFile(SharedBytes.Piece piece, SafeFileHandle file, long at)
    {
        if (OsMemory.CommitsInChunks)
        {
            memory.EnsureCommitted(piece.Offset, piece.Length);
        }

        try
        {
            ForEachSpan(piece, at, (span, offset) => RandomAccess.Write(file, span, offset));
        }
        catch (IOException)
        {
            return false;
        }

        // SAFETY: (1) the piece lies in the block, whose life is open; (2) the file has the pages, and now the same bytes.
        return OsMemory.TryMapFile(memory.Start + piece.Offset, piece.Length, file.DangerousGetHandle(), at);
    }

    private void ForEachSpan(SharedBytes.Piece piece, long at, SpanAction action)
    {
        const ulong MostBytes = 1UL << 30;
        for (ulong done = 0; done < piece.Length;)
        {
            ulong size = Math.Min(piece.Length - done, MostBytes);
            action(BytesAt(piece.Offset + done, (int)size), at + (long)done);
            done += size;
        }
    }

    private delegate void SpanAction(Span<byte> span, long offset);
}
