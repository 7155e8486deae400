using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Devices.Rdma;

/// <summary>What every <see cref="IPeerMemory"/> promises, as code: for the tests of whoever writes one, and for Mm's own calls.</summary>
/// <remarks>
/// A broken promise is a mistake of the driver's author, hence an <see cref="ArgumentException"/>.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class PeerMemoryContract
{
    /// <summary>Asks a driver for pages, and checks what it gives.</summary>
    /// <param name="peer">The driver.</param>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="takeAway">What the driver calls to take the memory away.</param>
    /// <param name="list">All bytes in order; null when refused.</param>
    /// <returns>As <see cref="IPeerMemory.TryGetPages"/>.</returns>
    /// <exception cref="ArgumentException">A list came with a refusal, none with Ok, or one of another number of bytes.</exception>
    public static Errno TryGetPages(
        IPeerMemory peer, VirtAddr start, ByteCount length, Action takeAway, out PhysRangeList? list)
    {
        ArgumentNullException.ThrowIfNull(peer);
        Errno errno = peer.TryGetPages(start, length, takeAway, out list);
        Require(errno.IsOk == list is not null, "a list comes with Ok and with nothing else");
        Require(list is null || !list.IsValid || list.Length == length, "a list has as many bytes as were asked for");
        return errno;
    }

    private static void Require(bool holds, string promise)
    {
        if (!holds)
        {
            throw new ArgumentException($"a peer's driver breaks its contract: {promise}");
        }
    }
}
