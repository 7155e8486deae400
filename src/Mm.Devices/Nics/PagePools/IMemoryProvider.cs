using Mm.Core;

namespace Mm.Devices.Nics.PagePools;

/// <summary>Gives a page pool memory that has no pages: a device's, by <see cref="NetIov"/>.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct memory_provider_ops (include/net/page_pool/memory_provider.h, v6.12).</para>
/// <para><b>Locking:</b> <see cref="TryAllocate"/> is called by the pool's one consumer at a time, <see cref="Release"/> from
/// any thread; both with no lock of the pool held but its consumer's.</para>
/// </remarks>
public interface IMemoryProvider
{
    /// <summary>A pool begins to use it.</summary>
    /// <param name="pool">The pool.</param>
    /// <returns>
    /// <see cref="Errno.E2BIG"/>: the pool's order is not 0.
    /// <see cref="Errno.EINVAL"/>: the provider cannot serve the pool.
    /// </returns>
    Errno TryBegin(PagePool pool);

    /// <summary>The pool is about to ask for buffers: give back what users have returned, which the pool then uses first.</summary>
    /// <param name="pool">The pool.</param>
    void Collect(PagePool pool)
    {
    }

    /// <summary>Gives a buffer.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="buffer">The buffer; null when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: none is free.</returns>
    Errno TryAllocate(PagePool pool, out NetIov? buffer);

    /// <summary>Takes a buffer back.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="buffer">The buffer.</param>
    void Release(PagePool pool, NetIov buffer);

    /// <summary>The pool has ended: its last buffer is back.</summary>
    /// <param name="pool">The pool.</param>
    void End(PagePool pool);
}
