using System.Buffers;

namespace Mm.Core.Native;

/// <summary>Bytes of a <see cref="NativeRegion"/> as <see cref="Memory{T}"/>: for .NET's pipes and sockets, which keep bytes across an await.</summary>
/// <remarks>
/// Owns one lease of the region: while it is open the memory stays, even if the region is closed meanwhile. Weaker than
/// <see cref="SpanLease"/>: a span or memory taken from it and used after <see cref="IDisposable.Dispose"/> is not caught,
/// unless it asks for the span anew; so only owners that outlive every user may hand it out, as a page pool does.
/// <para><b>Linux:</b> kmap (v6.12), as an idea: an address of a page for longer.</para>
/// <para><b>Locking:</b> safe from any thread; the bytes are as shared as memory is.</para>
/// </remarks>
public sealed unsafe class RegionMemory : MemoryManager<byte>
{
    private readonly NativeRegion region;
    private readonly ByteCount offset;
    private readonly int length;
    private int isDisposed; // atomic: 0 → 1 once

    internal RegionMemory(NativeRegion region, ByteCount offset, int length)
    {
        this.region = region;
        this.offset = offset;
        this.length = length;
    }

    /// <inheritdoc/>
    public override Memory<byte> Memory => CreateMemory(length);

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref isDisposed) != 0, this);
        return region.SpanOf(offset, length);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The index is not in the memory.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(elementIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(elementIndex, length);

        // SAFETY: (1) the bytes never move: they are outside the heap, or in an array of the pinned heap, so the address
        // holds after the fixed block; (2) the lease that this object owns keeps them, and the handle keeps this object.
        fixed (byte* start = GetSpan())
        {
            return new MemoryHandle(start + elementIndex, pinnable: this);
        }
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
        // Nothing moves, so nothing was pinned.
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref isDisposed, 1) == 0)
        {
            region.EndMemory();
        }
    }
}
