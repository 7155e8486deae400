namespace Mm.Core.Native;

/// <summary>Which chunks of a block were committed already, where the operating system wants to be asked first.</summary>
/// <remarks>
/// One bit a chunk of 2 MiB. Knows no addresses: it calls back with chunk numbers.
/// <para><b>Invariants:</b> (1) a bit is set only after its chunk was committed, so a reader that sees it may touch the
/// chunk; (2) a bit is never cleared.</para>
/// <para><b>Locking:</b> safe from any thread; two threads may commit one chunk twice, which does no harm.</para>
/// </remarks>
/// <param name="chunks">How many chunks the block has.</param>
/// <param name="commit">Commits one chunk, named by its number.</param>
internal sealed class CommitMap(ulong chunks, Action<ulong> commit)
{
    // Atomic; the set in CommitSlowly (a full fence) pairs with the acquire read in Ensure.
    private readonly ulong[] committed = new ulong[checked((int)((chunks + 63) / 64))];

    /// <summary>Commits what of the bytes <c>[offset, offset+length)</c> is not committed yet.</summary>
    /// <param name="offset">The first byte; inside the block.</param>
    /// <param name="length">How many bytes; inside the block.</param>
    internal void Ensure(ulong offset, ulong length)
    {
        if (length == 0)
        {
            return;
        }

        ulong last = (offset + length - 1) / OsMemory.ChunkBytes;
        for (ulong chunk = offset / OsMemory.ChunkBytes; chunk <= last; chunk++)
        {
            if ((Volatile.Read(ref committed[chunk / 64]) >> (int)(chunk % 64) & 1) == 0)
            {
                CommitSlowly(chunk);
            }
        }
    }

    private void CommitSlowly(ulong chunk)
    {
        commit(chunk);
        _ = Interlocked.Or(ref committed[chunk / 64], 1UL << (int)(chunk % 64));
    }
}
