using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>Whose memory a shared buffer is: says where the bytes are, and for whom.</summary>
/// <remarks>
/// Owns the memory from export to <see cref="Release"/>. Not responsible for mapping it for a device, which the attachment
/// does with the list it is given. Users write exporters; <see cref="BufferExporterContract"/> holds them to this page.
/// <para><b>Linux:</b> struct dma_buf_ops (v6.12). Difference: map_dma_buf hands out the list of addresses, and the core maps
/// it for the device and keeps what did not change.</para>
/// <para><b>Invariants:</b> (1) name, size and traits do not change; (2) the list is the same object as long as the memory
/// stays where it is, and its validity ends when it goes; (3) while pinned, the memory stays; (4) released once.</para>
/// <para><b>Locking:</b> members that take a token are called with the buffer's reservation locked, and do not enter it
/// again; the others without.</para>
/// </remarks>
public interface IBufferExporter
{
    /// <summary>What reports call the exporter.</summary>
    string Name { get; }

    /// <summary>How many bytes the buffer has; not zero.</summary>
    ByteCount Size { get; }

    /// <summary>What the buffer can do.</summary>
    BufferTraits Traits { get; }

    /// <summary>A device wants to attach: agree on memory of a peer, or refuse.</summary>
    /// <param name="client">Who; <see cref="BufferClient.IsPeerToPeer"/> is what the importer allows.</param>
    /// <param name="terms">What is agreed; refused, it says why where that is the reason.</param>
    /// <returns>Ok; EOPNOTSUPP: the memory is a peer's and cannot be elsewhere, and the client does not take or reach it;
    /// ENODEV: the memory is taken away.</returns>
    Errno TryAttach(BufferClient client, out PeerTerms terms)
    {
        terms = default;
        return Errno.Ok;
    }

    /// <summary>A device has detached.</summary>
    /// <param name="client">Who.</param>
    void Detach(BufferClient client)
    {
    }

    /// <summary>Says where the bytes are, moving them first if the client could not use them there.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="client">For whom, as agreed.</param>
    /// <param name="list">All bytes in order; null when refused. It stays the exporter's.</param>
    /// <returns>Ok; ENODEV: the memory is taken away; ENOMEM: no memory where the client could use it; EBUSY: it would have
    /// to move, and is pinned.</returns>
    Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list);

    /// <summary>Keeps the memory where it is, until as many calls of <see cref="Unpin"/>. Only where the buffer moves.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="client">For whom, as agreed.</param>
    /// <returns>Ok; ENODEV: the memory is taken away; ENOMEM, EBUSY: it cannot be where the client could use it;
    /// EOPNOTSUPP: this exporter pins for nobody of that kind.</returns>
    Errno TryPin(ReservationLock held, BufferClient client) => Errno.Ok;

    /// <summary>Takes back one pin.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    void Unpin(ReservationLock held)
    {
    }

    /// <summary>A CPU is about to read or write.</summary>
    /// <param name="access">What it will do.</param>
    /// <returns>Ok; ENOMEM: no memory for the books.</returns>
    Errno TryBeginCpuAccess(SyncAccess access) => Errno.Ok;

    /// <summary>A CPU has read or written.</summary>
    /// <param name="access">What it did.</param>
    /// <returns>Ok; EINVAL: nobody began.</returns>
    Errno TryEndCpuAccess(SyncAccess access) => Errno.Ok;

    /// <summary>The last handle is gone: give the memory back. Called once, maybe with a reservation locked.</summary>
    void Release();
}
