using Mm.Core.Checks;

namespace Mm.Core.Native;

/// <summary>How many bytes of address space one machine holds outside the managed heap, and in how many blocks.</summary>
/// <remarks>
/// Counts what was reserved, touched or not: the resident part is the operating system's business. Owns no memory.
/// <para><b>Invariants:</b> (1) a block is counted after the operating system has granted it, and given back before the
/// call that returns it, so the count never promises bytes that are not there; (2) neither count is ever negative;
/// (3) both are zero once the machine and every lease of its bytes are disposed.</para>
/// <para><b>Locking:</b> safe from any thread, without a lock.</para>
/// </remarks>
internal sealed class NativeBytes
{
    // Atomic each; together only exact when no call is under way, which is when Validate and the tests read them.
    private long liveBytes;
    private long liveBlocks;

    /// <summary>Bytes reserved and not given back.</summary>
    internal ByteCount Live => new((ulong)Volatile.Read(ref liveBytes));

    /// <summary>Blocks reserved and not given back.</summary>
    internal long LiveBlocks => Volatile.Read(ref liveBlocks);

    /// <summary>Records a block that the operating system has granted.</summary>
    /// <param name="length">Its length in bytes.</param>
    internal void Add(ByteCount length)
    {
        _ = Interlocked.Add(ref liveBytes, checked((long)length.Value));
        _ = Interlocked.Increment(ref liveBlocks);
    }

    /// <summary>Records that a block goes back.</summary>
    /// <param name="length">The length that <see cref="Add"/> was told.</param>
    internal void Subtract(ByteCount length)
    {
        long bytes = Interlocked.Add(ref liveBytes, -checked((long)length.Value));
        long blocks = Interlocked.Decrement(ref liveBlocks);
        Check.That(bytes >= 0 && blocks >= 0, $"invariant 2: {bytes} bytes in {blocks} blocks after giving back {length}");
    }
}
