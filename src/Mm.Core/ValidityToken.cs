namespace Mm.Core;

/// <summary>The holder's side of "is this address list still good?".</summary>
/// <remarks>
/// A token answers for the past: that it is valid says that nothing was invalidated until now. Who must exclude a
/// later invalidation holds the owner's lock while asking, as with mmu_interval_read_retry.
/// <para><c>default</c> vouches for nothing and is not valid. Immutable; safe from any thread.</para>
/// </remarks>
public readonly struct ValidityToken
{
    private readonly ValiditySource? source;
    private readonly long generation;

    internal ValidityToken(ValiditySource source, long generation)
    {
        this.source = source;
        this.generation = generation;
    }

    /// <summary>Whether nothing was invalidated since the token was taken.</summary>
    public bool IsValid => source is not null && source.Generation == generation;
}
