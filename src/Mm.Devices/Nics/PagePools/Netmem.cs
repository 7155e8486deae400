using System.Diagnostics.CodeAnalysis;

namespace Mm.Devices.Nics.PagePools;

/// <summary>A word that names network memory: a page, or memory without pages, and one can tell which.</summary>
/// <remarks>
/// Owns nothing.
/// <para><b>Linux:</b> netmem_ref (include/net/netmem.h, v6.12), a pointer whose bit 0 says which; here the type says it.</para>
/// <para><c>default</c> names nothing. Immutable.</para>
/// </remarks>
public readonly record struct Netmem
{
    private readonly PoolBuffer? buffer;

    /// <summary>Names a buffer.</summary>
    /// <param name="buffer">The buffer.</param>
    public Netmem(PoolBuffer buffer) => this.buffer = buffer;

    /// <summary>Whether it names nothing.</summary>
    public bool IsEmpty => buffer is null;

    /// <summary>Whether it is memory without pages.</summary>
    /// <remarks><b>Linux:</b> netmem_is_net_iov (v6.12).</remarks>
    public bool IsNetIov => buffer is NetIov;

    internal PoolBuffer? Buffer => buffer;

    /// <summary>The page.</summary>
    /// <param name="page">The page; null for memory without pages.</param>
    /// <returns>Whether it is a page.</returns>
    /// <remarks><b>Linux:</b> netmem_to_page (v6.12), which gives NULL for a net_iov.</remarks>
    public bool TryGetPage([NotNullWhen(true)] out PoolPage? page)
    {
        page = buffer as PoolPage;
        return page is not null;
    }

    /// <summary>The memory without pages.</summary>
    /// <param name="memory">The memory; null for a page.</param>
    /// <returns>Whether it is such memory.</returns>
    /// <remarks><b>Linux:</b> netmem_to_net_iov (v6.12).</remarks>
    public bool TryGetNetIov([NotNullWhen(true)] out NetIov? memory)
    {
        memory = buffer as NetIov;
        return memory is not null;
    }
}
