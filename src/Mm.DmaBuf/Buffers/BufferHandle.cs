namespace Mm.DmaBuf.Buffers;

/// <summary>A counted hold on a shared buffer: the last one that is disposed releases the memory.</summary>
/// <remarks>
/// Owns one count. Attachments, views, maps and armed polls hold handles of their own, so that no buffer is released under
/// them.
/// <para><b>Linux:</b> struct file of a dma-buf, dma_buf_get and dma_buf_put (v6.12), as a lease.</para>
/// <para><b>Locking:</b> safe from any thread; disposing it twice does nothing.</para>
/// </remarks>
public sealed class BufferHandle : IDisposable
{
    private readonly DmaBuffer buffer;
    private int isDisposed; // atomic

    internal BufferHandle(DmaBuffer buffer) => this.buffer = buffer;

    /// <summary>The buffer.</summary>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public DmaBuffer Buffer
    {
        get
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref isDisposed) != 0, this);
            return buffer;
        }
    }

    /// <summary>Takes another hold on the same buffer.</summary>
    /// <returns>The other handle; the caller disposes it.</returns>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public BufferHandle Duplicate() => Buffer.Hold();

    /// <summary>Lets go; the last one releases the buffer's memory.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 0)
        {
            buffer.Drop();
        }
    }

    /// <summary>The buffer.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"handle of {buffer}";
}
