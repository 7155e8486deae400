using Mm.Core;
using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics.Sockets;

/// <summary>Takes bytes out of a socket's segments, one segment a call.</summary>
/// <remarks><b>Linux:</b> sk_read_actor_t (v6.12). <b>Locking:</b> called with the socket's gate held.</remarks>
internal interface ISegmentReader
{
    /// <summary>Takes bytes of a segment.</summary>
    /// <returns>What stopped it, if anything: bytes taken before count.</returns>
    Errno TryRead(Segment segment, int from, int atMost, out int taken);
}
