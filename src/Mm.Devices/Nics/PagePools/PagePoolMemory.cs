using System.Buffers;
using Mm.Core;

namespace Mm.Devices.Nics.PagePools;

/// <summary>A page pool as .NET's pool of memory: pipes and sockets then receive straight into the pool's pages.</summary>
/// <remarks>
/// Owns nothing: the pool is its maker's. What is rented is a whole buffer, or a fragment of one if that is enough.
/// <para><b>Linux:</b> none: what a driver does with page_pool_dev_alloc (v6.12), for .NET.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class PagePoolMemory : MemoryPool<byte>
{
    private readonly PagePool pool;

    /// <summary>Makes one.</summary>
    /// <param name="pool">The pool: of pages, without a NAPI context, since anybody may rent.</param>
    /// <exception cref="ArgumentException">The pool has a NAPI context or a provider.</exception>
    public PagePoolMemory(PagePool pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (pool.Options.Napi is not null || pool.Options.Provider is not null)
        {
            throw new ArgumentException("pool must be one of pages, without a NAPI context", nameof(pool));
        }

        this.pool = pool;
    }

    /// <inheritdoc/>
    public override int MaxBufferSize => (int)pool.BufferLength.Value;

    /// <summary>Rents memory.</summary>
    /// <param name="minBufferSize">How many bytes at least; a whole buffer of the pool where left out.</param>
    /// <returns>The memory; disposing it gives it back.</returns>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="MaxBufferSize"/>, or below -1.</exception>
    /// <exception cref="InsufficientMemoryException">The machine has no memory.</exception>
    /// <exception cref="ObjectDisposedException">The pool is destroyed.</exception>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(minBufferSize, -1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, MaxBufferSize);
        bool isPart = minBufferSize > 0 && minBufferSize <= MaxBufferSize / 2;
        PoolLease lease;
        Errno errno = isPart
            ? pool.TryAllocateFragment(new ByteCount((ulong)minBufferSize), out lease)
            : pool.TryAllocate(out lease);
        return errno.IsOk
            ? new Rented(lease)
            : throw new InsufficientMemoryException($"the page pool has no memory: {errno}");
    }

    /// <summary>Does nothing: the pool is its maker's.</summary>
    /// <param name="disposing">Whether it is disposed.</param>
    protected override void Dispose(bool disposing)
    {
    }

    private sealed class Rented(PoolLease lease) : IMemoryOwner<byte>
    {
        private int isDisposed; // atomic: 0 → 1 once

        public Memory<byte> Memory { get; } =
            lease.Memory.TryGetPage(out PoolPage? page)
                ? page.OpenMemory().Slice((int)lease.Offset.Value, (int)lease.Length.Value)
                : Memory<byte>.Empty;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isDisposed, 1) == 0)
            {
                lease.Dispose();
            }
        }
    }
}
