using Mm.Hmm.Faulting;

namespace Mm.Hmm.Mirrors;

/// <summary>What a snapshot says of one page.</summary>
/// <remarks><b>Linux:</b> a byte of HMM_DMIRROR_SNAPSHOT (v6.12). Immutable.</remarks>
/// <param name="Word">The word of the range fault.</param>
/// <param name="Place">Where the page lies.</param>
public readonly record struct MirrorPage(HmmPfn Word, MirrorPlace Place);
