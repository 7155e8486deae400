namespace Mm.Core;

/// <summary>The owner's side of "is this address list still good?": each <see cref="Invalidate"/> ends every token handed out before it.</summary>
/// <remarks>
/// Notifier sequences, move_notify, revocation, the death of a page map and the removal of a device are all told
/// through this one type, so that "nothing moved" costs a comparison.
/// <para><b>Linux:</b> no single symbol; the common core of mmu_interval_read_retry, dma_buf_move_notify and
/// percpu_ref_is_dying (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread; tokens and invalidation take no lock, changing dependents takes one of its own.</para>
/// </remarks>
public sealed class ValiditySource
{
    private readonly Lock changing = new();

    // Replaced as a whole under `changing`; read without.
    private ValiditySource[] dependents = [];

    // Atomic; the increment in Invalidate pairs with the acquire read in ValidityToken.IsValid.
    private long generation;

    /// <summary>A token that is valid until the next <see cref="Invalidate"/>.</summary>
    public ValidityToken Token => new(this, Generation);

    /// <summary>How often the source was invalidated.</summary>
    internal long Generation => Volatile.Read(ref generation);

    /// <summary>Ends every token handed out so far, and those of the dependents. What they vouched for must be asked for again.</summary>
    public void Invalidate()
    {
        Interlocked.Increment(ref generation);
        foreach (ValiditySource dependent in Volatile.Read(ref dependents))
        {
            dependent.Invalidate();
        }
    }

    /// <summary>Makes another source end whenever this one does: a provider follows its topology.</summary>
    /// <param name="dependent">The source that follows; not one that this one follows. It is kept alive until removed.</param>
    public void AddDependent(ValiditySource dependent)
    {
        ArgumentNullException.ThrowIfNull(dependent);
        lock (changing)
        {
            Volatile.Write(ref dependents, [.. dependents, dependent]); // pairs with the read in Invalidate
        }
    }

    /// <summary>Ends what <see cref="AddDependent"/> began; a source that does not follow is ignored.</summary>
    /// <param name="dependent">The source.</param>
    public void RemoveDependent(ValiditySource dependent)
    {
        lock (changing)
        {
            Volatile.Write(ref dependents, [.. dependents.Where(other => other != dependent)]);
        }
    }
}
