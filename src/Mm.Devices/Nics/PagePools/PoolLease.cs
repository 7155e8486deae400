using Mm.Core;

namespace Mm.Devices.Nics.PagePools;

/// <summary>A buffer taken from a page pool, or a part of one.</summary>
/// <remarks>
/// Owns one use of the buffer; disposing it gives the buffer back, which the last use of its parts does.
/// <para><b>Linux:</b> page_pool_alloc_netmems and page_pool_put_netmem (v6.12), as a lease.</para>
/// <para><b>Invariants:</b> (1) disposed once: a second time is found out when the buffer was back in between.</para>
/// <para><b>Locking:</b> safe from any thread; one lease is one thread's at a time.</para>
/// <para><c>default</c> has nothing; disposing it does nothing.</para>
/// </remarks>
public readonly struct PoolLease : IDisposable
{
    private readonly int generation;

    private PoolLease(PoolLease other)
    {
        this = other;
        other.Memory.Buffer!.AddUser();
    }

    internal PoolLease(PoolBuffer buffer, ByteCount offset, ByteCount length)
    {
        Memory = new Netmem(buffer);
        generation = buffer.Generation;
        Offset = offset;
        Length = length;
    }

    /// <summary>The buffer.</summary>
    public Netmem Memory { get; }

    /// <summary>Where in the buffer the part begins.</summary>
    public ByteCount Offset { get; }

    /// <summary>How many bytes the part has.</summary>
    public ByteCount Length { get; }

    /// <summary>Whether it has nothing.</summary>
    public bool IsEmpty => Memory.IsEmpty;

    /// <summary>Gives it back: into the cache in the pool's NAPI context, else into the ring.</summary>
    /// <exception cref="ObjectDisposedException">It was given back before.</exception>
    public void Dispose() => Recycle(ByteCount.MaxValue);

    /// <summary>Gives it back, of which the device wrote at most so many bytes.</summary>
    /// <param name="written">How much must be given back to the device, from the pool's offset on.</param>
    /// <exception cref="ObjectDisposedException">It was given back before.</exception>
    /// <remarks><b>Linux:</b> page_pool_put_netmem with dma_sync_size (v6.12).</remarks>
    public void Recycle(ByteCount written)
    {
        if (Memory.Buffer is { } buffer)
        {
            ThrowIfStale();
            buffer.Pool!.Put(buffer, written);
        }
    }

    /// <summary>Another lease of the same bytes: the buffer is back when both are disposed.</summary>
    /// <returns>The other lease; the caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">It has nothing.</exception>
    /// <exception cref="ObjectDisposedException">It was given back before.</exception>
    /// <remarks><b>Linux:</b> page_pool_ref_netmem (v6.12).</remarks>
    public PoolLease Share()
    {
        ThrowIfStale();
        return IsEmpty ? throw new InvalidOperationException("an empty lease is not shared") : new PoolLease(this);
    }

    internal void ThrowIfStale() =>
        ObjectDisposedException.ThrowIf(Memory.Buffer is { } buffer && buffer.Generation != generation, typeof(PoolLease));
}
