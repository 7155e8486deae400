using Mm.Core;
using Mm.Core.Native;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>A buffer's bytes in a file of the real system that Mm runs on: another process opens it and maps the same bytes.</summary>
/// <remarks>
/// Holds a handle of the buffer, and a pin where the memory moves.
/// <para><b>Linux:</b> a memfd behind a buffer, as udmabuf has it (v6.12); here for any buffer of whole pages. Difference: it
/// is of the system below the model, not of the model.</para>
/// <para><b>Locking:</b> safe from any thread; disposing enters the reservation unless the thread has it locked.</para>
/// </remarks>
public sealed class HostFile : IDisposable
{
    private readonly BufferHandle handle;
    private readonly SharedBytes bytes;
    private int isDisposed; // atomic

    internal HostFile(BufferHandle handle, SharedBytes bytes)
    {
        this.handle = handle;
        this.bytes = bytes;
    }

    /// <summary>Where another process of the same user opens it, as long as this is not disposed.</summary>
    public string Path => bytes.Path;

    /// <summary>How many bytes it has: those of the buffer.</summary>
    public ByteCount Size => bytes.Length;

    /// <summary>Ends it: the buffer keeps its bytes, and who mapped the file sees no change any more. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }

        DmaBuffer buffer = handle.Buffer;
        using (ReservationLock held = buffer.Reservation.LockOrGoOn())
        {
            bytes.Dispose();
            buffer.EndView(held);
        }

        handle.Dispose();
    }
}
