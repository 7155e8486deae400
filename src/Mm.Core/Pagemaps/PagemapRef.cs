namespace Mm.Core.Pagemaps;

/// <summary>A use of a page map that keeps it from dying; what a lookup gives.</summary>
/// <remarks>
/// Owns one use; <see cref="Dispose"/> ends it. The map may be killed meanwhile: then it is dying until the last use ends.
/// <para><b>Linux:</b> the reference of get_dev_pagemap and put_dev_pagemap (v6.12), as a lease.</para>
/// <para><b>Invariants:</b> (1) disposed once: a second time is found out only when no other use is left.</para>
/// <para><b>Locking:</b> safe from any thread; one lease is one thread's at a time.</para>
/// <para><c>default</c> uses nothing, and disposing it does nothing.</para>
/// </remarks>
public readonly record struct PagemapRef : IDisposable
{
    private readonly Pagemap? map;

    internal PagemapRef(Pagemap map) => this.map = map;

    /// <summary>Whether this uses nothing.</summary>
    public bool IsEmpty => map is null;

    /// <summary>The page map.</summary>
    /// <exception cref="ObjectDisposedException">The lease uses nothing.</exception>
    public Pagemap Map
    {
        get
        {
            ObjectDisposedException.ThrowIf(map is null, typeof(PagemapRef));
            return map;
        }
    }

    /// <summary>Ends the use; the last one of a dying map ends the map.</summary>
    /// <exception cref="ObjectDisposedException">It was ended before, and no other use is left.</exception>
    public void Dispose() => map?.Unuse();
}
