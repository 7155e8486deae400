namespace Mm.Core.Native;

/// <summary>Bytes borrowed from a <see cref="NativeRegion"/>: the one way to touch them.</summary>
/// <remarks>
/// A lease cannot be stored in an object, boxed or kept across an await, and while it is open the memory stays, even if
/// the owner is disposed meanwhile. Who takes it disposes it, as a rule with <c>using</c>.
/// <para>Two holes remain and are said aloud: a copy of a lease disposed a second time is caught, when it happens, by its
/// generation; a span read from <see cref="Bytes"/> and used after <see cref="Dispose"/> is not, and is memory of a live
/// region as a rule (run with <see cref="NativeBacking.PinnedHeap"/> to make it always so).</para>
/// <para><b>Linux:</b> kmap_local_page and kunmap_local (v6.12), as an idea.</para>
/// <para><b>Locking:</b> the lease belongs to one thread; the bytes are as shared as memory is.</para>
/// <para><c>default</c> holds no bytes; disposing it does nothing.</para>
/// </remarks>
public readonly ref struct SpanLease : IDisposable
{
    private readonly Span<byte> bytes;
    private readonly NativeRegion? owner;
    private readonly LeaseTicket? ticket;
    private readonly long generation;

    internal SpanLease(NativeRegion owner, LeaseTicket ticket, Span<byte> bytes)
    {
        this.owner = owner;
        this.ticket = ticket;
        this.bytes = bytes;
        generation = ticket.Generation;
    }

    /// <summary>The bytes, to read and write.</summary>
    /// <exception cref="ObjectDisposedException">The lease, or a copy of it, was disposed.</exception>
    public Span<byte> Bytes
    {
        get
        {
            ObjectDisposedException.ThrowIf(ticket is not null && ticket.Generation != generation, typeof(SpanLease));
            return bytes;
        }
    }

    /// <summary>How many bytes.</summary>
    public ByteCount Length => new((ulong)bytes.Length);

    /// <summary>Gives the bytes back.</summary>
    /// <exception cref="ObjectDisposedException">A copy of this lease was disposed before.</exception>
    public void Dispose()
    {
        if (owner is null || ticket is null)
        {
            return;
        }

        ObjectDisposedException.ThrowIf(!ticket.TryEnd(generation), typeof(SpanLease));
        owner.EndLease(ticket);
    }
}
