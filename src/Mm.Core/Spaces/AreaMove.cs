namespace Mm.Core.Spaces;

/// <summary>What a process asks of a mapping that is to move or to change its length.</summary>
/// <remarks><b>Linux:</b> the arguments of mremap (v6.12); MREMAP_DONTUNMAP is out of scope. Immutable.</remarks>
/// <param name="At">Where it is.</param>
/// <param name="OldLength">How many bytes of it are meant; rounded up to pages.</param>
/// <param name="NewLength">How many bytes it is to have; rounded up to pages.</param>
public readonly record struct AreaMove(VirtAddr At, ByteCount OldLength, ByteCount NewLength)
{
    /// <summary>Whether it may come to lie elsewhere. <b>Linux:</b> MREMAP_MAYMOVE.</summary>
    public bool MayMove { get; init; }

    /// <summary>Exactly where, in place of what is there; null leaves it open. <b>Linux:</b> MREMAP_FIXED.</summary>
    public VirtAddr? To { get; init; }
}
